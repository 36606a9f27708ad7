use socket2::SockAddr;

use super::ring::not_queued;
use super::{Address, Queue, Rejected, Ring, SendOptions, Socket, Ticket, TxBuf};
use crate::sys::uring::NotQueued;
use crate::{Error, Result};

/// Sends of datagrams that say where they go.
impl Ring {
    /// Queues a send of the buffer's bytes as one datagram to an address; otherwise like [`send`](Ring::send). An address
    /// that a datagram [came from](super::Chunk::source) is one to answer to. Allocates nothing, but for the ring's first, and
    /// takes no lock.
    ///
    /// An IPv6 socket takes IPv4 addresses too, plain or mapped, unless it is
    /// [only for IPv6](crate::tuning::Tuning::only_v6). A connected socket sends to the address all the same.
    ///
    /// Messages of a Unix socket keep their order, whomever they go to: one to a peer that has no room holds back all that
    /// are sent behind it, until that peer reads or the send is given up ([`SendOptions::within`]).
    ///
    /// # Errors
    ///
    /// [`Rejected`] with the buffer, if nothing was queued, with
    ///
    /// - [`Error::InvalidValue`]: the socket is a stream or sends packets in sequence (`SOCK_SEQPACKET`), which go to its peer
    ///   alone, or a Unix socket's name is too long.
    /// - [`Error::RingFull`]: as many are in flight as can be.
    /// - [`Error::UnknownSocket`], [`Error::ForeignBuffer`]: one of them is not of this ring.
    /// - [`Error::System`]: the full queue could not be handed to the kernel.
    ///
    /// What goes wrong later is told by [`Event::Sent`](super::Event::Sent): `ECONNREFUSED` of a Unix socket's name that nobody
    /// has, `EAFNOSUPPORT` of an address of another family, `EACCES` of a broadcast address, …
    ///
    /// Source: io_uring_prep_send_set_addr(3). Linux 6.1; 6.0 takes an address only without copying, and answers `EINVAL`
    /// otherwise.
    #[doc(alias = "sendto")]
    #[doc(alias = "io_uring_prep_sendto")]
    #[doc(alias = "io_uring_prep_send_set_addr")]
    pub fn send_to(
        &mut self,
        socket: Socket,
        buf: TxBuf,
        to: impl Into<Address>,
        options: impl Into<SendOptions>,
    ) -> Result<Ticket, Rejected> {
        self.queue().send_to(socket, buf, to, options)
    }

    /// Queues a send of several buffers as one datagram to an address; otherwise like
    /// [`send_vectored`](Ring::send_vectored).
    ///
    /// # Errors
    ///
    /// As for [`send_vectored`](Ring::send_vectored), and [`Error::InvalidValue`] as for [`send_to`](Ring::send_to).
    ///
    /// Source: io_uring_enter(2), `IORING_OP_SENDMSG`, `IORING_OP_SENDMSG_ZC`.
    #[doc(alias = "sendmsg")]
    pub fn send_vectored_to(
        &mut self,
        socket: Socket,
        bufs: &mut Vec<TxBuf>,
        to: impl Into<Address>,
        options: impl Into<SendOptions>,
    ) -> Result<Ticket> {
        self.queue().send_vectored_to(socket, bufs, to, options)
    }
}

impl Queue<'_> {
    /// As [`Ring::send_to`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_to(
        &mut self,
        socket: Socket,
        buf: TxBuf,
        to: impl Into<Address>,
        options: impl Into<SendOptions>,
    ) -> Result<Ticket, Rejected> {
        match to.into().to_kernel() {
            Ok(to) => self.send_directed(socket, buf, Some(to), options.into()),
            Err(error) => Err(Rejected { buf, error }),
        }
    }

    /// As [`Ring::send_vectored_to`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_vectored_to(
        &mut self,
        socket: Socket,
        bufs: &mut Vec<TxBuf>,
        to: impl Into<Address>,
        options: impl Into<SendOptions>,
    ) -> Result<Ticket> {
        let to = to.into().to_kernel()?;
        self.send_message(socket, bufs, Some(to), options.into())
    }

    /// One buffer, with more to say than where it is.
    pub(super) fn send_directed(
        &mut self,
        socket: Socket,
        buf: TxBuf,
        to: Option<SockAddr>,
        options: SendOptions,
    ) -> Result<Ticket, Rejected> {
        let ring = self.engine.id();
        if socket.ring != ring {
            let error = Error::UnknownSocket;
            return Err(Rejected { buf, error });
        }
        let (wish, segment, within) = (options.wish(), options.segment_size(), options.limit());
        let engine = &mut *self.engine;
        match engine.send_directed(socket.key, buf.into_slot(), wish, to, segment, within) {
            Ok(key) => Ok(Ticket::new(ring, key)),
            Err((slot, error)) => {
                let buf = TxBuf::new(slot);
                let error = not_queued(error);
                Err(Rejected { buf, error })
            }
        }
    }

    /// Several buffers as one message.
    pub(super) fn send_message(
        &mut self,
        socket: Socket,
        bufs: &mut Vec<TxBuf>,
        to: Option<SockAddr>,
        options: SendOptions,
    ) -> Result<Ticket> {
        let ring = self.engine.id();
        if socket.ring != ring {
            return Err(Error::UnknownSocket);
        }
        let engine = &mut *self.engine;
        if to.is_some() {
            engine.check_destination(socket.key).map_err(not_queued)?;
        }
        engine
            .check_message(socket.key, bufs.iter().map(TxBuf::slot))
            .map_err(|error| match error {
                NotQueued::Shape => misshapen(bufs),
                error => not_queued(error),
            })?;
        let slots = bufs.drain(..).map(TxBuf::into_slot);
        let key = engine
            .put_together(socket.key, slots, options.wish())
            .ok_or(Error::RingFull)?;
        engine.direct(key, to, options.segment_size());
        if let Some(within) = options.limit() {
            engine.limit(key, within);
        }
        // What comes back has its room still.
        let give_back = |slot| bufs.push(TxBuf::new(slot));
        engine
            .start_message(key, socket.key, give_back)
            .map_err(not_queued)?;
        Ok(Ticket::new(ring, key))
    }
}

fn misshapen(bufs: &[TxBuf]) -> Error {
    let bytes: usize = bufs.iter().map(|buf| buf.len()).sum();
    Error::InvalidValue {
        option: "send_vectored",
        value: format!("{} buffers with {bytes} bytes", bufs.len()),
        reason: "a message has 1 to 16 buffers, and 2147479552 bytes at most",
    }
}
