use std::io;

use super::Message;
use crate::buffer::{TxBuf, Usage};

/// What [`ZeroCopySender::reap`](super::ZeroCopySender::reap) tells its handler.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a box for every timestamp would be an allocation for every send"
)]
#[non_exhaustive]
pub enum Event {
    /// The kernel is done with a buffer. In no particular order among tickets.
    #[non_exhaustive]
    Released {
        /// Which send.
        ticket: Ticket,
        /// The buffer, its length as it was sent. Dropping it makes the slot free.
        buf: TxBuf,
        /// How many of its bytes the socket took: all, unless the sender was closed before, or the datagram was one
        /// whose sending is in doubt ([`NotSent`](super::NotSent)).
        bytes: usize,
        /// What became of them. `Copied` if a part was.
        usage: Usage,
    },
    /// A message of the error queue that is about something else.
    Message(Message),
    /// The error that was pending on a UDP socket, as after an ICMP message (`SO_ERROR`). It is the one that the next call
    /// on the socket would have failed with. Told when nothing else is.
    Error(io::Error),
}

/// Names one send of its sender, from [`send`](super::ZeroCopySender::send) to [`Event::Released`]. Not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(super) u64);
