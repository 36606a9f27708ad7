//! The kernel edge: the only place with `unsafe`.
//!
//! It is not a layer of thin wrappers over raw pointers. It holds the types that *own* what the kernel touches: the
//! mapping, the slots carved from it, and the table of sends in flight. Their methods are sound for any caller in the
//! crate: none takes a raw pointer, and none trusts a caller's length, id or lifetime.

#[cfg(feature = "ring")]
pub(crate) mod memory;
pub(crate) mod sockopt;
#[cfg(feature = "ring")]
pub(crate) mod uring;
