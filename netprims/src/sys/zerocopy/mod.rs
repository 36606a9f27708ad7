//! The edge of zero-copy sends: what is in flight, who owns it, and what the socket's error queue says about it.
//!
//! - `kernel`: the seam, an unsafe trait; `live` implements it with a socket, `fake` with a test's script.
//! - `error_queue`: reading and parsing one message.
//! - `window`: the sends as the kernel counts them, pure.
//! - `flights`: the table of the slots in flight.
//! - `engine`: owns both and the kernel, and takes in what comes back; `send` is how it sends.

mod engine;
mod error_queue;
mod flights;
mod kernel;
mod live;
mod message;
mod outcome;
mod send;
mod state;
mod totals;
mod window;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod oracle;

pub use message::{Message, Origin};
pub use state::{Limit, State};
pub use totals::Totals;

pub(crate) use engine::{Engine, Limits};
pub(crate) use live::{Live, Ready};
pub(crate) use outcome::{Outcome, Refusal, Taken};
