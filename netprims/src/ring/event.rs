use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::{Chunk, ReceiveEnd, Ticket, TxBuf, Usage};
use crate::sys::uring::Key;

/// What [`Ring::poll`](super::Ring::poll) tells its handler.
///
/// The lifetime is that of what an event lends to its handler: the bytes of a [`Chunk`]. The parts of the other events may
/// be kept.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A send has its result: the number of bytes that were taken, which on a stream may be less than the buffer has.
    /// The buffer is not free yet.
    #[non_exhaustive]
    Sent {
        /// Which send.
        ticket: Ticket,
        /// Bytes taken, or why none was: `EPIPE` and `ECONNRESET` when the peer has gone, `EMSGSIZE` for a datagram
        /// that is too long, `ETIMEDOUT` when its [time](super::SendOptions::within) was up, `EBADF` and `ENOTSOCK` when what was added is no socket, `ECANCELED` when the socket was
        /// removed before the send could be tried again without zero-copy or before its turn had come, when a send before
        /// it left a hole in the stream ([order](super#short-sends-and-order)), or when it was cancelled, …
        ///
        /// `Ok(0)` means that nothing was sent; of a datagram socket, that an empty datagram was.
        result: io::Result<usize>,
    },
    /// The kernel is done with a send's buffer. Follows `Sent` of the same ticket, in the same poll or a later one; in
    /// no particular order among tickets. A send of several buffers tells one for each of them, in order, with nothing in
    /// between.
    #[non_exhaustive]
    Released {
        /// Which send.
        ticket: Ticket,
        /// The buffer, its length as it was sent. Dropping it makes the slot free.
        buf: TxBuf,
        /// How many bytes of it were taken.
        bytes: usize,
        /// What became of the bytes that were taken.
        usage: Usage,
    },
    /// A connection has come to an [`accept`](super::Ring::accept), which goes on.
    #[non_exhaustive]
    Accepted {
        /// Which accept.
        ticket: Ticket,
        /// The connection: close-on-exec and blocking. Dropping it closes it.
        fd: OwnedFd,
    },
    /// An [`accept`](super::Ring::accept) is over: this is its last event.
    #[non_exhaustive]
    AcceptEnded {
        /// Which accept.
        ticket: Ticket,
        /// Why: `ECANCELED` when it was [cancelled](super::Ring::cancel) or its listener removed; `EMFILE` and `ENFILE` when no descriptor is
        /// left, `ENOBUFS` and `ENOMEM` when memory is; `EINVAL` when the socket does not listen, `EOPNOTSUPP` when it
        /// cannot, `ENOTSOCK` when it is none.
        error: io::Error,
    },
    /// A [`connect`](super::Ring::connect) is done.
    #[non_exhaustive]
    Connected {
        /// Which.
        ticket: Ticket,
        /// `ECONNREFUSED`, `ENETUNREACH`, …; `ETIMEDOUT` when its time was up, and when TCP has given up; `ECANCELED` when
        /// it was cancelled.
        result: io::Result<()>,
    },
    /// The time of a [`timeout`](super::Ring::timeout) is over.
    #[non_exhaustive]
    TimedOut {
        /// Which.
        ticket: Ticket,
        /// `ECANCELED` when it was cancelled.
        result: io::Result<()>,
    },
    /// A [`shutdown`](super::Ring::shutdown) is done.
    #[non_exhaustive]
    ShutDown {
        /// Which.
        ticket: Ticket,
        /// `ENOTCONN` if there is no connection, `ENOTSOCK` if it is no socket.
        result: io::Result<()>,
    },
    /// A receive brought bytes; of a datagram socket, a datagram. Comes again and again, until `ReceiveEnded` of the
    /// same ticket.
    #[non_exhaustive]
    Received {
        /// Which receive.
        ticket: Ticket,
        /// The bytes, for as long as the handler runs. [`detach`](Chunk::detach) keeps them.
        chunk: Chunk<'a>,
    },
    /// A receive is over: its last event.
    #[non_exhaustive]
    ReceiveEnded {
        /// Which.
        ticket: Ticket,
        /// Why.
        end: ReceiveEnd,
    },
}

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
    /// At most this long, also when nothing is in flight. A time too long for the clock is for ever.
    AtMost(Duration),
    /// Until so many events are ready, so that one poll tells many; or until one is and a short time is over; or at most
    /// for the limit. The kernel counts its completions, of which an event may take more than one. A signal may cut it
    /// short. [`Capabilities::gather`](super::Capabilities::gather) says what it costs.
    ///
    /// Source: io_uring_enter(2), `min_wait_usec`.
    #[doc(alias = "min_wait_usec")]
    Gather {
        /// How many are enough.
        events: u32,
        /// How long to wait for more than one; up to 71 minutes.
        within: Duration,
        /// How long to wait for one.
        limit: Duration,
    },
    /// Until there is one. With nothing in flight there can be none, and the poll returns at once.
    Forever,
}
