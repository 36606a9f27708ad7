use std::net::Shutdown;

use super::ring::not_queued;
use super::{Ring, Socket, Ticket};
use crate::sys::uring::Key;
use crate::{Error, Result};

/// Requests about connections rather than their bytes.
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

    /// Accepts connections on a listening socket, one [`Event::Accepted`](super::Event::Accepted) for each, until
    /// [`Event::AcceptEnded`](super::Event::AcceptEnded). It counts as one request in flight all the while.
    ///
    /// The accept waits also where the listener is non-blocking. Connections are close-on-exec and blocking: for use
    /// outside a ring, set them as that use wants them. Where the kernel ends the accept without an error, which it
    /// does when completions pile up unpolled, or with `ECONNABORTED`, the ring starts it again.
    ///
    /// Any other error ends it. Connections that wait then go on waiting: after `EMFILE` close something, and accept
    /// again.
    ///
    /// Removing the listener does not end the accept; [cancel](Ring::cancel) it. A connection that was accepted and not
    /// told is closed when the ring is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::RingFull`], [`Error::UnknownSocket`], and [`Error::System`] if the full queue could not be handed to the
    /// kernel.
    ///
    /// Source: accept4(2), io_uring_enter(2), `IORING_ACCEPT_MULTISHOT` (Linux 5.19).
    #[doc(alias = "IORING_OP_ACCEPT")]
    #[doc(alias = "IORING_ACCEPT_MULTISHOT")]
    pub fn accept(&mut self, listener: Socket) -> Result<Ticket> {
        if listener.ring != self.id {
            return Err(Error::UnknownSocket);
        }
        let queued = self.core.engine.accept(listener.key);
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
