use super::{Rejected, Ring, SendOptions, SendStats, Socket, Ticket, TxBuf};
use crate::sys::uring::SocketState;
use crate::{Error, Result};

/// Sends.
impl Ring {
    /// Queues a send of the buffer's bytes to a connected socket. The kernel sees it at the next
    /// [`poll`](Ring::poll); where [order](super#short-sends-and-order) is kept, once the sends before it have their results.
    /// Allocates nothing, but for the ring's first with a [limit on its time](SendOptions::within), and takes no lock.
    ///
    /// The options may be a [`ZcPolicy`](super::ZcPolicy) alone. A closed peer is the error `EPIPE`, never a signal.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with the buffer, if nothing was queued, with
    ///
    /// - [`Error::RingFull`]: as many are in flight as can be.
    /// - [`Error::UnknownSocket`], [`Error::ForeignBuffer`]: one of them is not of this ring.
    /// - [`Error::System`]: the full queue could not be handed to the kernel.
    ///
    /// What goes wrong later is told by [`Event::Sent`](super::Event::Sent).
    ///
    /// Source: io_uring_enter(2), `IORING_OP_SEND_ZC`.
    #[doc(alias = "send_zc")]
    #[doc(alias = "IORING_OP_SEND_ZC")]
    pub fn send(
        &mut self,
        socket: Socket,
        buf: TxBuf,
        options: impl Into<SendOptions>,
    ) -> Result<Ticket, Rejected> {
        self.queue().send(socket, buf, options)
    }

    /// Queues a send of several buffers as one: one datagram, or one piece of a stream. There is one
    /// [`Sent`](super::Event::Sent), of all their bytes, and then a [`Released`](super::Event::Released) for each buffer. As
    /// many as there are buffers count as [in flight](super::RingBuilder::in_flight). Allocates as [`send`](Ring::send) does,
    /// and takes no lock.
    ///
    /// On success the vector is empty, with its room kept for the next. On an error it is as it was.
    ///
    /// Zero-copy needs Linux 6.1; without, the send is plain. Before Linux 6.15, and when the buffers are of several pools,
    /// the kernel pins the pages anew for each send, and counts them against `RLIMIT_MEMLOCK` for a process without
    /// CAP_IPC_LOCK while the send is in flight: where they are too many, it is plain.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: no buffers, more than 16, or more than 2 GiB less a page in total.
    /// - [`Error::RingFull`]: there is no room for as many in flight.
    /// - [`Error::UnknownSocket`], [`Error::ForeignBuffer`]: the socket, or a buffer, is not of this ring.
    /// - [`Error::System`]: the full queue could not be handed to the kernel.
    ///
    /// What goes wrong later is told by [`Event::Sent`](super::Event::Sent).
    ///
    /// Source: io_uring_enter(2), `IORING_OP_SENDMSG_ZC`.
    #[doc(alias = "sendmsg")]
    #[doc(alias = "IORING_OP_SENDMSG_ZC")]
    pub fn send_vectored(
        &mut self,
        socket: Socket,
        bufs: &mut Vec<TxBuf>,
        options: impl Into<SendOptions>,
    ) -> Result<Ticket> {
        self.queue().send_vectored(socket, bufs, options)
    }

    /// What became of a socket's sends, and what the next one would do.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSocket`]: it was removed, or is another ring's.
    pub fn send_stats(&self, socket: Socket) -> Result<SendStats> {
        self.state_of(socket).map(SendStats::from)
    }

    /// Whether a socket has refused a zero-copy send, so that the ring sends to it plainly: Unix sockets, and TCP with
    /// an upper-layer protocol such as kernel TLS.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSocket`]: it was removed, or is another ring's.
    pub fn is_plain_only(&self, socket: Socket) -> Result<bool> {
        self.state_of(socket).map(|state| state.plain_only)
    }

    fn state_of(&self, socket: Socket) -> Result<SocketState> {
        let known = Some(socket).filter(|socket| socket.ring == self.id);
        known
            .and_then(|socket| self.core.engine.socket_state(socket.key))
            .ok_or(Error::UnknownSocket)
    }
}
