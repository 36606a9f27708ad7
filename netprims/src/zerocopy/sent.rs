use std::io;

use super::Ticket;
use crate::buffer::TxBuf;

/// What became of a buffer that the socket took.
#[derive(Debug)]
#[non_exhaustive]
pub enum Sent {
    /// The kernel has copied all of it, because the send was plain: here is the buffer.
    Copied(TxBuf),
    /// It is in flight, and comes back with [`Event::Released`](super::Event::Released).
    #[non_exhaustive]
    InFlight {
        /// Which send.
        ticket: Ticket,
        /// Bytes a stream had no room for; see [`flush`](super::ZeroCopySender::flush).
        unsent: usize,
    },
    /// A datagram could not be sent, and the kernel may read the buffer all the same: some of its fragments may be on
    /// their way. It comes back with [`Event::Released`](super::Event::Released) if the kernel says that it is done with
    /// it; otherwise the sender keeps it until it is dropped. Until then sends are plain
    /// ([`State::InDoubt`](super::State::InDoubt)). Seen with `IP_RECVERR` and a full device queue.
    #[non_exhaustive]
    InDoubt {
        /// Which send.
        ticket: Ticket,
        /// Why it failed.
        error: io::Error,
    },
}
