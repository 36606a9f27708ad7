use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use super::{Ring, Socket, Ticket};
#[cfg(doc)]
use crate::Error;
use crate::Result;

/// Requests about connections rather than their bytes.
impl Ring {
    /// Queues a shutdown of one or both directions of a connection. The kernel sees it at the next [`poll`](Ring::poll),
    /// and [`Event::ShutDown`](super::Event::ShutDown) tells the result. It does not wait for sends that are in flight:
    /// to send everything first, queue it after their [`Sent`](super::Event::Sent).
    ///
    /// # Errors
    ///
    /// [`Error::RingFull`](crate::Error::RingFull), [`Error::UnknownSocket`](crate::Error::UnknownSocket), and [`Error::System`](crate::Error::System) if the full queue could not be handed to the
    /// kernel.
    ///
    /// Source: shutdown(2), io_uring_enter(2), `IORING_OP_SHUTDOWN` (Linux 5.11).
    #[doc(alias = "IORING_OP_SHUTDOWN")]
    pub fn shutdown(&mut self, socket: Socket, how: Shutdown) -> Result<Ticket> {
        self.queue().shutdown(socket, how)
    }

    /// Accepts connections on a listening socket, one [`Event::Accepted`](super::Event::Accepted) for each, until
    /// [`Event::AcceptEnded`](super::Event::AcceptEnded). It counts as one request in flight all the while.
    ///
    /// The accept waits also where the listener is non-blocking. Connections are close-on-exec and blocking: for use
    /// outside a ring, set them as that use wants them. Where the kernel ends the accept without an error, which it
    /// does when completions pile up unpolled, or with `ECONNABORTED`, the ring starts it again.
    ///
    /// There is no limit on how many it accepts: to pause, [cancel](Ring::cancel) it, and accept again when there is room. A
    /// few may be told between the two.
    ///
    /// Any other error ends it. Connections that wait then go on waiting: after `EMFILE` close something, and accept
    /// again.
    ///
    /// [Cancelling](Ring::cancel) it ends it, and so does [removing](Ring::remove) the listener. A connection that was
    /// accepted and not told is closed when the ring is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::RingFull`](crate::Error::RingFull), [`Error::UnknownSocket`](crate::Error::UnknownSocket), and [`Error::System`](crate::Error::System) if the full queue could not be handed to the
    /// kernel.
    ///
    /// Source: accept4(2), io_uring_enter(2), `IORING_ACCEPT_MULTISHOT` (Linux 5.19).
    #[doc(alias = "IORING_OP_ACCEPT")]
    #[doc(alias = "IORING_ACCEPT_MULTISHOT")]
    pub fn accept(&mut self, listener: Socket) -> Result<Ticket> {
        self.queue().accept(listener)
    }

    /// Connects a socket; [`Event::Connected`](super::Event::Connected) tells the result. It waits also where the socket is
    /// non-blocking.
    ///
    /// # Errors
    ///
    /// [`Error::RingFull`](crate::Error::RingFull), [`Error::UnknownSocket`](crate::Error::UnknownSocket), and [`Error::System`](crate::Error::System) if the full queue could not be handed to the
    /// kernel.
    ///
    /// Source: connect(2), io_uring_enter(2), `IORING_OP_CONNECT` (Linux 5.5).
    #[doc(alias = "IORING_OP_CONNECT")]
    pub fn connect(&mut self, socket: Socket, address: SocketAddr) -> Result<Ticket> {
        self.queue().connect(socket, address)
    }

    /// Like [`connect`](Ring::connect), and is given up with `ETIMEDOUT` after this time. The socket itself goes on trying, as
    /// it does after a [`cancel`](Ring::cancel): [`remove`](Ring::remove) and close it.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Ring::connect).
    ///
    /// Source: io_uring_enter(2), `IORING_OP_LINK_TIMEOUT` (Linux 5.5).
    #[doc(alias = "IORING_OP_LINK_TIMEOUT")]
    pub fn connect_within(
        &mut self,
        socket: Socket,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<Ticket> {
        self.queue().connect_within(socket, address, limit)
    }

    /// Queues a timeout: [`Event::TimedOut`](super::Event::TimedOut) comes when this time has passed since the kernel has
    /// seen it, at the next [`poll`](Ring::poll). Times are those of `CLOCK_MONOTONIC`. Allocates nothing, but for the first
    /// request of a ring that names a time.
    ///
    /// # Errors
    ///
    /// [`Error::RingFull`](crate::Error::RingFull), and [`Error::System`](crate::Error::System) if the full queue could not be handed to the kernel.
    ///
    /// Source: io_uring_enter(2), `IORING_OP_TIMEOUT` (Linux 5.4).
    #[doc(alias = "IORING_OP_TIMEOUT")]
    pub fn timeout(&mut self, after: Duration) -> Result<Ticket> {
        self.queue().timeout(after)
    }

    /// Asks the kernel to give up all requests about a socket, as [`cancel`](Ring::cancel) does for one.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSocket`](crate::Error::UnknownSocket), and [`Error::System`](crate::Error::System) if the full queue could not be handed to the kernel.
    ///
    /// Source: io_uring_enter(2), `IORING_ASYNC_CANCEL_FD` (Linux 5.19).
    #[doc(alias = "IORING_ASYNC_CANCEL_FD")]
    pub fn cancel_all(&mut self, socket: Socket) -> Result<()> {
        self.queue().cancel_all(socket)
    }

    /// Asks the kernel to give up a request. Its events are told all the same: it ends with the error `ECANCELED`, or as
    /// it would have ended if the kernel was quicker. A send that waits for its turn is not sent. A zero-copy
    /// send whose bytes a socket has taken is not cut short by this: its buffer is released when the packets are gone.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRequest`](crate::Error::UnknownRequest) if its last event was told, [`Error::ForeignTicket`](crate::Error::ForeignTicket) if it is another ring's, and
    /// [`Error::System`](crate::Error::System) if the full queue could not be handed to the kernel.
    ///
    /// Source: io_uring_enter(2), `IORING_OP_ASYNC_CANCEL` (Linux 5.5).
    #[doc(alias = "IORING_OP_ASYNC_CANCEL")]
    pub fn cancel(&mut self, ticket: Ticket) -> Result<()> {
        self.queue().cancel(ticket)
    }
}
