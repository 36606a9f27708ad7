//! The ring's edge: what is in flight, who owns it, and what the kernel says about it.
//!
//! - `kernel`: the seam, an unsafe trait; `live` implements it with io_uring, `fake` with a test's script.
//! - `lifecycle`: what a completion means for a send, as a pure function.
//! - `slab`: the table that late completions cannot confuse.
//! - `engine`: owns the sockets, the slots in flight and the kernel.

mod engine;
mod kernel;
mod lifecycle;
mod live;
mod slab;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod oracle;

pub use engine::Strays;

pub(crate) use engine::{Engine, LONGEST_DRAIN, NotQueued, Outcome};
pub(crate) use kernel::{Kernel, Wait};
pub(crate) use live::{Capable, Live, QueueThread, Refused, Setup, answer_to_nothing};
pub(crate) use slab::Key;
