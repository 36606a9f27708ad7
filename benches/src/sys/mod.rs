//! The only place of this package with `unsafe`.

#[path = "../../../netprims/tests/sys/counting_allocator.rs"]
pub(crate) mod counting_allocator;
