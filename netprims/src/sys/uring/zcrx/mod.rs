//! Zero-copy receive: what is registered with the kernel, how its completions are read, and how memory goes back.
//!
//! - `abi`: the kernel's structs and numbers.
//! - `provider`: the seam, an unsafe trait; `SystemCalls` implements it on a ring, `fake` with a test's script.
//! - `support`: what the kernel says that it knows.
//! - `arrival`: what a completion means, as a pure function.
//! - `refill`: the ring of pages that go back.
//! - `queue`: a registered queue, with its refill ring.
//! - `pages`: the queue with the memory it receives into, and who reads of it.

mod abi;
mod arrival;
mod pages;
mod provider;
mod queue;
mod refill;
mod support;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod trial;

pub(crate) use abi::{Control, QueryEvents, QueryOperations, QueryQueues};
pub(crate) use arrival::End;
pub(crate) use pages::{Brought, Pages};
pub(crate) use provider::{Provider, Registration, SystemCalls, knows_receive_queues};
pub(crate) use queue::{Refused, Source};
#[cfg(test)]
pub(crate) use support::Support;
