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
}
