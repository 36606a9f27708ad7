//! The kernel edge: the only place with `unsafe`.
//!
//! It is not a layer of thin wrappers over raw pointers. It holds the types that *own* what the kernel touches: the
//! mapping, the slots carved from it, and the table of sends in flight. Their methods are sound for any caller in the
//! crate: none takes a raw pointer, and none trusts a caller's length, id or lifetime.
//!
//! What the tests of this tree can notice is named in `defect`: each bug there is switched on by a test that must fail
//! to look right with it.

pub(crate) mod control;
pub(crate) mod datagrams;
#[cfg(test)]
pub(crate) mod defect;
pub(crate) mod epoll;
pub(crate) mod memory;
pub(crate) mod namespace;
pub(crate) mod pidfd;
pub(crate) mod queue;
#[cfg(feature = "tokio")]
pub(crate) mod readiness;
pub(crate) mod reuse_port;
pub(crate) mod rights;
pub(crate) mod sockopt;
#[cfg(feature = "ring")]
pub(crate) mod steering;
pub(crate) mod stream;
pub(crate) mod timerfd;
#[cfg(feature = "ring")]
pub(crate) mod uring;
pub(crate) mod usage;
pub(crate) mod zerocopy;
