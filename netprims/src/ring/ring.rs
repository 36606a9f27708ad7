use std::fmt;
use std::os::fd::OwnedFd;

use super::core::{Core, Handler};
use super::no_memory::refused;
use super::{Capabilities, Event, Queue, RingBuilder, Socket, Strays, Totals, TxPool, Wait};
use crate::sys::memory::Shape;
use crate::sys::uring::{Engine, Live, NotQueued};
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
/// Dropping the ring hands queued sends to the kernel, but for those that wait for their turn, cancels what is
/// not finished, and waits for at most
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

    /// What the kernel offers. It is asked each time, with four system calls: keep the answer.
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
    /// - [`Error::System`]: `ENOMEM` of `mmap` when memory or address space is short, of `io_uring_register` when the limit
    ///   for locked memory is.
    ///
    /// Source: io_uring_register(2), `IORING_REGISTER_BUFFERS_UPDATE` (Linux 5.13).
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
        let pool = self.core.engine.pool(shape).map_err(|refusal| {
            let object = format!("a pool of {} bytes", shape.bytes());
            refused(object, refusal)
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
        self.queue().add(socket)
    }

    /// Takes a socket back. Sends that the kernel has go on and tell their events; what is queued for it is handed over
    /// first. What waits for its turn ends with `ECANCELED`, as nobody could send it any more, and so does what
    /// the socket later refuses to send without copying: to have everything sent, remove the socket after the last
    /// [`Event::Sent`]. What is received from it is cancelled, or its connection would stay open, and so are its
    /// [accepts](Ring::accept), or connections would come to them still; the next polls tell the end.
    ///
    /// A close leaves what the peer has not acknowledged to the kernel, zero-copy buffers among it, until TCP gives up, which
    /// takes minutes. To have it back at once, [cancel all](Ring::cancel_all), and close with a
    /// [linger](crate::tuning::Tuning::linger) of zero.
    ///
    /// # Errors
    ///
    /// - [`Error::UnknownSocket`]: it was removed before, or is another ring's.
    /// - [`Error::System`]: queued sends could not be handed to the kernel. The ring keeps the socket; poll, and try
    ///   again.
    pub fn remove(&mut self, socket: Socket) -> Result<OwnedFd> {
        self.queue().remove(socket)
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
    pub fn poll(&mut self, wait: Wait, mut handler: impl FnMut(Event<'_>)) -> Result<usize> {
        self.poll_with(wait, |event, _| handler(event))
    }

    /// As [`poll`](Ring::poll), with a handler that may queue requests: it is given the ring's [`Queue`] as well. The kernel
    /// sees what is queued at the next poll, or when the queue is full; with a thread for the queue
    /// ([`SqPoll`](super::SqPoll)) at once. At most 65 536 events are told in a row, so that a handler which causes another
    /// one with each does not keep the caller for ever.
    ///
    /// ```
    /// use netprims::ring::{Event, Ring, Wait};
    /// use std::time::Duration;
    ///
    /// let mut ring = Ring::builder().build()?;
    /// ring.timeout(Duration::from_millis(1))?;
    /// let mut again = None;
    /// ring.poll_with(Wait::Forever, |event, queue| {
    ///     if let Event::TimedOut { .. } = event {
    ///         again = Some(queue.timeout(Duration::from_millis(1)));
    ///     }
    /// })?;
    /// assert_eq!(ring.in_flight(), 1);
    /// again.expect("a timeout is told")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`poll`](Ring::poll).
    pub fn poll_with(
        &mut self,
        wait: Wait,
        handler: impl FnMut(Event<'_>, &mut Queue<'_>),
    ) -> Result<usize> {
        self.core.poll_telling(wait, &mut WithQueue(handler))
    }

    #[inline]
    pub(super) fn queue(&mut self) -> Queue<'_> {
        Queue::new(&mut self.core.engine)
    }

    /// How many requests are in flight, until their last event: sends from [`send`](Ring::send) to [`Event::Released`],
    /// those that wait for their turn included, and each buffer of a send that has several for itself.
    pub fn in_flight(&self) -> u32 {
        self.core.engine.in_flight()
    }

    /// What became of the bytes so far. It is added up over the ring's sockets, those that were removed included, in time
    /// that grows with their number.
    pub fn totals(&self) -> Totals {
        self.core.engine.totals()
    }

    /// Completions that fit no request. Zero, unless something is wrong.
    pub fn strays(&self) -> Strays {
        self.core.engine.strays()
    }
}

/// A handler that is given the engine as a [`Queue`].
struct WithQueue<F>(F);

impl<F: FnMut(Event<'_>, &mut Queue<'_>)> Handler<Live> for WithQueue<F> {
    #[inline(always)]
    fn handle(&mut self, event: Event<'_>, engine: &mut Engine<Live>) {
        (self.0)(event, &mut Queue::new(engine));
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
        NotQueued::NoMessages => Error::InvalidValue {
            option: "messages",
            value: "a pool for a stream".to_owned(),
            reason: "a stream has no messages; make another pool for it",
        },
        NotQueued::NoDestination => Error::InvalidValue {
            option: "send_to",
            value: "a stream".to_owned(),
            reason: "a stream has one peer; use `send`",
        },
        NotQueued::Shape => Error::InvalidValue {
            option: "message",
            value: "its buffers".to_owned(),
            reason: "too many, or none",
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
