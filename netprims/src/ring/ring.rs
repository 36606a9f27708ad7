use std::fmt;
use std::os::fd::OwnedFd;

use super::core::Core;
use super::{
    Capabilities, Event, Rejected, RingBuilder, Socket, Strays, Ticket, Totals, TxBuf, TxPool,
    Wait, ZcPolicy,
};
use crate::sys::memory::Shape;
#[cfg(test)]
use crate::sys::uring::Engine;
use crate::sys::uring::{Live, NotQueued};
use crate::{Error, Result};

/// An io_uring of one thread, with the sockets and the buffers that are in flight on it.
///
/// It can be neither sent to nor shared with another thread: the kernel refuses a ring of this kind to any thread but
/// the one that made it, even for cancelling.
///
/// In a forked child the copy of a ring does nothing: its calls fail with `EBADF`, and dropping it cancels nothing.
///
/// # Drop
///
/// Dropping the ring hands queued sends to the kernel, cancels what is not finished, and waits for at most
/// [`drain_limit`](RingBuilder::drain_limit). It then closes its sockets, after it has turned `SO_LINGER` off where that
/// would make the close wait; to linger, [`remove`](Ring::remove) the socket first. What the kernel has not given back by
/// then is leaked and counted ([`leaked_bytes`](super::leaked_bytes)). Events are not delivered any more; buffers return to their pool.
/// `mem::forget` of a ring leaks its descriptors and the buffers in flight.
pub struct Ring {
    pub(super) core: Core<Live>,
    pub(super) id: u64,
    /// Neither `Send` nor `Sync`.
    _one_thread: [*const (); 0],
}

/// The kernel registers at most 1 GiB as one buffer.
const LARGEST_POOL: usize = 1 << 30;

impl Ring {
    /// A builder, for all that can be chosen.
    pub const fn builder() -> RingBuilder {
        RingBuilder::new()
    }

    pub(super) fn new(core: Core<Live>) -> Self {
        let id = core.engine.id();
        Self {
            core,
            id,
            _one_thread: [],
        }
    }

    /// What is beneath, for tests that watch its memory.
    #[cfg(test)]
    pub(crate) fn engine(&mut self) -> &mut Engine<Live> {
        &mut self.core.engine
    }

    /// The ring's own descriptor, to close what a test has forgotten.
    #[cfg(test)]
    pub(crate) fn number(&mut self) -> std::os::fd::RawFd {
        self.core.engine.kernel_mut().number()
    }

    /// What the kernel offers. It is asked each time, with two system calls: keep the answer.
    pub fn capabilities(&self) -> Capabilities {
        let kernel = self.core.engine.kernel();
        Capabilities::new(kernel.setup(), kernel.capable())
    }

    /// Whether a socket has a place in the table of [registered files](RingBuilder::registered_files).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSocket`]: it was removed, or is another ring's.
    pub fn is_registered(&self, socket: Socket) -> Result<bool> {
        let known = Some(socket).filter(|socket| socket.ring == self.id);
        known
            .and_then(|socket| self.core.engine.is_registered(socket.key))
            .ok_or(Error::UnknownSocket)
    }

    /// Maps memory for `slots` buffers of `slot_len` bytes each and registers it with the ring.
    ///
    /// The memory is pinned, which counts against `RLIMIT_MEMLOCK` of the user for a process without CAP_IPC_LOCK. It
    /// stays so after the pool is gone, until the ring makes its next pool, which first lets go of the memory of those
    /// that are gone, or is dropped. Older kernels (6.1) let go a moment later: `ENOMEM` may then pass by itself. A ring can
    /// have 64 pools at a time.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: no slots, 2²⁴ or more, empty slots, more than 1 GiB in total, or a 65th pool.
    /// - [`Error::System`]: `ENOMEM` when memory or the limit is short.
    ///
    /// Source: io_uring_register(2), `IORING_REGISTER_BUFFERS_UPDATE`.
    pub fn tx_pool(&mut self, slots: u32, slot_len: u32) -> Result<TxPool> {
        let invalid = |reason| Error::InvalidValue {
            option: "tx_pool",
            value: format!("{slots} slots of {slot_len} bytes"),
            reason,
        };
        let shape = Shape::new(slots, slot_len)
            .ok_or_else(|| invalid("a pool has 1 to 16777215 slots of at least a byte"))?;
        if shape.bytes().get() > LARGEST_POOL {
            return Err(invalid("the kernel registers at most 1 GiB as one buffer"));
        }
        let pool = self.core.engine.pool(shape).map_err(|error| {
            let advice =
                "on ENOMEM raise RLIMIT_MEMLOCK, grant CAP_IPC_LOCK, or take a smaller pool";
            let object = format!("a pool of {} bytes", shape.bytes());
            Error::advised("io_uring_register", object, error, advice)
        })?;
        pool.map(TxPool::of)
            .ok_or_else(|| invalid("the ring has 64 pools already; drop one"))
    }

    /// Gives a socket to the ring. Takes anything that owns a descriptor: std's sockets, this crate's, an `OwnedFd`.
    ///
    /// Whether it is a connected socket shows when it is sent to.
    ///
    /// # Errors
    ///
    /// [`Error::RingFull`] if the ring has more sockets than it can number.
    pub fn add(&mut self, socket: impl Into<OwnedFd>) -> Result<Socket> {
        let key = self
            .core
            .engine
            .add(socket.into())
            .map_err(|_| Error::RingFull)?;
        Ok(Socket { ring: self.id, key })
    }

    /// Takes a socket back. Sends in flight on it go on and tell their events; sends that are queued are handed to the
    /// kernel first. One that the socket then refuses to send without copying fails with `ECANCELED`. What is received from
    /// it is cancelled, or its connection would stay open; the next polls tell the end.
    ///
    /// # Errors
    ///
    /// - [`Error::UnknownSocket`]: it was removed before, or is another ring's.
    /// - [`Error::System`]: queued sends could not be handed to the kernel. The ring keeps the socket; poll, and try
    ///   again.
    pub fn remove(&mut self, socket: Socket) -> Result<OwnedFd> {
        if socket.ring != self.id {
            return Err(Error::UnknownSocket);
        }
        self.core
            .engine
            .remove(socket.key)
            .map_err(|error| Error::system("io_uring_enter", "ring", error))?
            .ok_or(Error::UnknownSocket)
    }

    /// Queues a send of the buffer's bytes to a connected socket. The kernel sees it at the next
    /// [`poll`](Ring::poll). Allocates nothing and takes no lock.
    ///
    /// On a stream, wait for [`Event::Sent`] before the next send; see [the module](super#short-sends-and-order).
    /// A closed peer is the error `EPIPE`, never a signal.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with the buffer, if nothing was queued, with
    ///
    /// - [`Error::RingFull`]: as many are in flight as can be.
    /// - [`Error::UnknownSocket`], [`Error::ForeignBuffer`]: one of them is not of this ring.
    /// - [`Error::System`]: the full queue could not be handed to the kernel.
    ///
    /// What goes wrong later is told by [`Event::Sent`].
    ///
    /// Source: io_uring_enter(2), `IORING_OP_SEND_ZC`.
    #[doc(alias = "send_zc")]
    #[doc(alias = "IORING_OP_SEND_ZC")]
    #[inline]
    pub fn send(
        &mut self,
        socket: Socket,
        buf: TxBuf,
        policy: ZcPolicy,
    ) -> Result<Ticket, Rejected> {
        if socket.ring != self.id {
            return Err(Rejected {
                buf,
                error: Error::UnknownSocket,
            });
        }
        let zero_copy = matches!(policy, ZcPolicy::Always);
        match self
            .core
            .engine
            .send(socket.key, buf.into_slot(), zero_copy)
        {
            Ok(key) => Ok(Ticket(key.to_bits())),
            Err((slot, error)) => {
                let buf = TxBuf::new(slot);
                let error = not_queued(error);
                Err(Rejected { buf, error })
            }
        }
    }

    /// Hands queued sends to the kernel, waits as told for the first event, and tells the handler each event there is.
    /// Returns how many.
    ///
    /// A signal does not end the wait: with [`Wait::AtMost`], 0 means that the time is over, also when nothing is in
    /// flight. [`Wait::No`] does not enter the kernel when there is nothing to hand over and nothing to be had. If the
    /// handler panics, the event it was given is dropped (its buffer returns to the pool) and all others are told by the
    /// next poll. Allocates nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the kernel refuses the call. Nothing is lost; the next poll tries again.
    ///
    /// Source: io_uring_enter(2).
    #[doc(alias = "io_uring_enter")]
    pub fn poll(&mut self, wait: Wait, handler: impl FnMut(Event<'_>)) -> Result<usize> {
        self.core.poll(wait, handler)
    }

    /// How many requests are in flight, until their last event: sends from [`send`](Ring::send) to [`Event::Released`].
    pub fn in_flight(&self) -> u32 {
        self.core.engine.in_flight()
    }

    /// What became of the bytes so far.
    pub fn totals(&self) -> Totals {
        self.core.totals
    }

    /// Completions that fit no request. Zero, unless something is wrong.
    pub fn strays(&self) -> Strays {
        self.core.engine.strays()
    }

    /// Whether a socket has refused a zero-copy send, so that the ring sends to it plainly: Unix sockets, and TCP with
    /// an upper-layer protocol such as kernel TLS.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSocket`]: it was removed, or is another ring's.
    pub fn is_plain_only(&self, socket: Socket) -> Result<bool> {
        let known = Some(socket).filter(|socket| socket.ring == self.id);
        known
            .and_then(|socket| self.core.engine.is_plain_only(socket.key))
            .ok_or(Error::UnknownSocket)
    }
}

pub(super) fn not_queued(error: NotQueued) -> Error {
    match error {
        NotQueued::Full => Error::RingFull,
        NotQueued::UnknownSocket => Error::UnknownSocket,
        NotQueued::UnknownRequest => Error::UnknownRequest,
        NotQueued::ForeignSlot => Error::ForeignBuffer,
        NotQueued::ForeignPool => Error::ForeignPool,
        NotQueued::Receiving => Error::AlreadyReceiving,
        NotQueued::WouldCut => Error::InvalidValue {
            option: "incremental",
            value: "a pool for a socket that is no stream".to_owned(),
            reason: "the rest of a slot may be too short for a datagram, which would be cut",
        },
        NotQueued::Enter(error) => Error::system("io_uring_enter", "ring", error),
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("in_flight", &self.in_flight())
            .field("totals", &self.totals())
            .finish_non_exhaustive()
    }
}
