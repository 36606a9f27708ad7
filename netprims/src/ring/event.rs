use std::io;
use std::time::Duration;

use super::{TxBuf, Usage};
use crate::sys::uring::Key;

/// What [`Ring::poll`](super::Ring::poll) tells its handler.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A send has its result: the number of bytes that were taken, which on a stream may be less than the buffer has.
    /// The buffer is not free yet.
    Sent {
        /// Which send.
        ticket: Ticket,
        /// Bytes taken, or why none was: `EPIPE` and `ECONNRESET` when the peer has gone, `EMSGSIZE` for a datagram
        /// that is too long, `EBADF` and `ENOTSOCK` when what was added is no socket, `ECANCELED`, …
        result: io::Result<usize>,
    },
    /// The kernel is done with a send's buffer. Follows `Sent` of the same ticket, in the same poll or a later one; in
    /// no particular order among tickets.
    Released {
        /// Which send.
        ticket: Ticket,
        /// The buffer, its length as it was sent. Dropping it makes the slot free.
        buf: TxBuf,
        /// What became of the bytes that were taken.
        usage: Usage,
    },
}

/// Names one send, from [`Ring::send`](super::Ring::send) to its last event. Not used again by the ring within the next
/// four thousand million sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub(super) u64);

/// Names a socket that a ring owns. Goes out of date when the socket is removed: it never names another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Socket {
    pub(super) ring: u64,
    pub(super) key: Key,
}

/// How long [`Ring::poll`](super::Ring::poll) waits for the first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// At most this long.
    AtMost(Duration),
    /// Until there is one. With nothing in flight there can be none, and the poll returns at once.
    Forever,
}

/// Whether a send should avoid the copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ZcPolicy {
    /// A plain send (`IORING_OP_SEND`): the kernel copies, and the buffer is free with the result.
    Never,
    /// A zero-copy send (`IORING_OP_SEND_ZC`), unless the kernel has none or the socket has refused one: then plain.
    #[default]
    Always,
}
