//! The only place of this package with `unsafe`.

pub(crate) mod counting_allocator;
