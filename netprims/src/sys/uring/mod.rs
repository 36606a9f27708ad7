//! The ring's edge: what is in flight, who owns it, and what the kernel says about it.
//!
//! - `kernel`: the seam, an unsafe trait; `live` implements it with io_uring, `fake` with a test's script.
//! - `lifecycle`: what a completion means for a send, as a pure function.
//! - `auto`: when a send is zero-copy, as a pure function of what came of those before.
//! - `headers`: what `sendmsg` reads besides the bytes.
//! - `leaked_descriptors`: counts what is left open because a queued request names it.
//! - `rx`: memory that is received into, and how the kernel is shown it.
//! - `slab`: the table that late completions cannot confuse.
//! - `engine`: owns the sockets, the slots in flight and the kernel.
//! - `zcrx`: a queue registered for zero-copy receive, and how its pages go back.

mod auto;
mod engine;
mod headers;
mod kernel;
pub(crate) mod leaked_descriptors;
mod lifecycle;
mod live;
mod rx;
mod slab;
mod totals;
mod zcrx;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod receive_oracle;
#[cfg(test)]
mod version;

pub use auto::AutoPolicy;
pub use engine::Strays;
pub use totals::Totals;

pub(crate) use engine::{
    Areas, Claim, End, Engine, Giving, GroupHandle, LONGEST_DRAIN, Listener, Loan, NoQueue, NoWay,
    NotQueued, Outcome, ReceiveState, SocketState, Way, Wish,
};
pub(crate) use kernel::{Kernel, Unfit, Wait};
pub(crate) use live::{Capable, Live, QueueThread, Refused, Setup, answer_to_nothing};
pub(crate) use rx::{HEADROOM, Head, MOST_PLACES, Piece};
pub(crate) use slab::Key;
#[cfg(test)]
pub(crate) use zcrx::Support as QueueSupport;
pub(crate) use zcrx::{
    QueryOperations, Refused as QueueRefused, Source as QueueSource, knows_receive_queues,
};
