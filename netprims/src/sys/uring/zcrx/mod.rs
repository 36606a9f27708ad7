//! Zero-copy receive: what is registered with the kernel, how its completions are read, and how memory goes back.
//!
//! - `abi`: the kernel's structs and numbers.
//! - `provider`: the seam, an unsafe trait; `SystemCalls` implements it on a ring, `fake` with a test's script.
//! - `support`: what the kernel says that it knows.
//! - `arrival`: what a completion means, as a pure function.
//! - `refill`: the ring of pages that go back.
//! - `queue`: a registered queue, with its refill ring.

mod abi;
mod arrival;
mod provider;
mod queue;
mod refill;
mod support;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod trial;

#[cfg(test)]
use {
    arrival::{Arrival, End},
    provider::SystemCalls,
    queue::{PATIENCE, Queue, Source},
};

pub(crate) use provider::knows_receive_queues;
