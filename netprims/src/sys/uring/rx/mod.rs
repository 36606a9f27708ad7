//! Memory that the kernel receives into, and what is read of it.
//!
//! - `returns`: what came back from other threads, without a lock.
//! - `bell`: what those threads ring, when somebody waits for it.
//! - `area`: the mapping, and the claims to bytes that were received: a `Taken` for the ring, a `Piece` for whoever keeps it.
//! - `slots`: which slots the kernel may write, which are read, and which are free.
//! - `order`: which slots a buffer ring shows to the kernel, in which order; pure.
//! - `buffer_ring`: that ring's own memory, and what a completion takes from it.
//! - `message`: how a message lies in its slot, and what the kernel says of it.
//! - `counters`: what became of it all.

mod area;
mod bell;
mod buffer_ring;
mod counters;
mod message;
mod order;
mod returns;
mod slots;

pub(crate) use area::{Area, Piece, Taken};
pub(crate) use bell::Bell;
pub(crate) use buffer_ring::{BufferRing, Filled};
pub(crate) use counters::Counters;
pub(crate) use message::{HEADROOM, Head, Layout, Template};
pub(crate) use order::MOST_PLACES;
pub(crate) use slots::Slots;
