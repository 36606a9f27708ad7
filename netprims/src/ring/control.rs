use std::net::Shutdown;

use super::ring::not_queued;
use super::{Ring, Socket, Ticket};
use crate::sys::uring::Key;
use crate::{Error, Result};

/// Requests that move no bytes.
impl Ring {
    /// Queues a shutdown of one or both directions of a connection. The kernel sees it at the next [`poll`](Ring::poll),
    /// and [`Event::ShutDown`](super::Event::ShutDown) tells the result. It does not wait for sends that are in flight:
    /// to send everything first, queue it after their [`Sent`](super::Event::Sent).
    ///
    /// # Errors
    ///
    /// [`Error::RingFull`], [`Error::UnknownSocket`], and [`Error::System`] if the full queue could not be handed to the
    /// kernel.
    ///
    /// Source: shutdown(2), io_uring_enter(2), `IORING_OP_SHUTDOWN` (Linux 5.11).
    #[doc(alias = "IORING_OP_SHUTDOWN")]
    pub fn shutdown(&mut self, socket: Socket, how: Shutdown) -> Result<Ticket> {
        if socket.ring != self.id {
            return Err(Error::UnknownSocket);
        }
        let how = match how {
            Shutdown::Read => libc::SHUT_RD,
            Shutdown::Write => libc::SHUT_WR,
            Shutdown::Both => libc::SHUT_RDWR,
        };
        let queued = self.core.engine.shutdown(socket.key, how);
        queued.map(|key| Ticket(key.to_bits())).map_err(not_queued)
    }

    /// Asks the kernel to give up a request. Its events are told all the same: it ends with the error `ECANCELED`, or as
    /// it would have ended if the kernel was quicker. A zero-copy send whose bytes a socket has taken is not cut short by
    /// this: its buffer is released when the packets are gone.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRequest`] if its last event was told, and [`Error::System`] if the full queue could not be handed
    /// to the kernel.
    ///
    /// Source: io_uring_enter(2), `IORING_OP_ASYNC_CANCEL`.
    #[doc(alias = "IORING_OP_ASYNC_CANCEL")]
    pub fn cancel(&mut self, ticket: Ticket) -> Result<()> {
        let cancelled = self.core.engine.cancel(Key::from_bits(ticket.0));
        cancelled.map_err(not_queued)
    }
}
