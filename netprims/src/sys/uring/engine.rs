use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::kernel::{Kernel, QueueFull, Request, Wait};
use super::lifecycle::{Phase, Step};
use super::live::BUFFERS;
use super::slab::{Key, Missing, Slab};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::{Home, Lent, Mapping, Pool, Shape, Slot, WeakPool};
use crate::sys::usage::Usage;

/// Owns a ring's sockets and the slots that are in flight.
///
/// # Invariants
///
/// A slot that the kernel may read is in `flights`, as a [`Lent`], and is taken back only from a flight that is not
/// `in_kernel`: after its last completion, or when nothing of it was queued. Every other end of a flight leaks the slot.
/// A descriptor that a queued request names is in `sockets`.
pub(crate) struct Engine<K: Kernel> {
    kernel: K,
    id: u64,
    flights: Slab<Flight>,
    sockets: Slab<Socket>,
    /// The pools by the number of their fixed buffer; `None` for a number that is free.
    pools: Vec<Option<WeakPool>>,
    /// A send whose result was told and whose release is next.
    told: Option<Key>,
    /// Sends that were refused without copying and wait to be queued plainly, in the order they were sent. Has room for
    /// all that can be in flight.
    held: VecDeque<Key>,
    strays: Strays,
    drain_limit: Duration,
    closing: bool,
}

struct Flight {
    lent: Lent,
    len: u32,
    /// The fixed buffer the slot is in.
    buffer: u16,
    socket: Key,
    phase: Phase,
}

struct Socket {
    fd: OwnedFd,
    /// It refused a zero-copy send.
    plain_only: bool,
}

/// What happened.
pub(crate) enum Outcome {
    Sent {
        key: Key,
        result: Result<u32, i32>,
    },
    Released {
        key: Key,
        slot: Slot,
        len: u32,
        bytes: u32,
        usage: Usage,
    },
}

/// Why nothing was queued.
pub(crate) enum SendError {
    UnknownSocket,
    ForeignSlot,
    Full,
    Enter(io::Error),
}

/// Completions that fit no send in flight. They were ignored; any at all is a kernel or a crate to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Strays {
    /// Of a send that was over.
    pub late: u64,
    /// Of a send in flight, but out of order or repeated.
    pub duplicate: u64,
    /// Of nothing this ring ever sent.
    pub unknown: u64,
}

/// The longest a ring may take to drain.
pub(crate) const LONGEST_DRAIN: Duration = Duration::from_secs(60 * 60);

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl<K: Kernel> Engine<K> {
    pub(crate) fn new(kernel: K, in_flight: u32, drain_limit: Duration) -> Self {
        Self {
            kernel,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            flights: Slab::new(in_flight),
            sockets: Slab::new(0),
            pools: Vec::new(),
            told: None,
            held: VecDeque::with_capacity(usize::try_from(in_flight).unwrap_or(0)),
            strays: Strays::default(),
            drain_limit: drain_limit.min(LONGEST_DRAIN),
            closing: false,
        }
    }

    #[cfg(test)]
    pub(crate) fn kernel_mut(&mut self) -> &mut K {
        &mut self.kernel
    }

    /// Tells this engine from every other in the process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Maps a pool and registers it as one fixed buffer. `None` if every number for a fixed buffer is taken.
    pub(crate) fn pool(&mut self, shape: Shape) -> io::Result<Option<Pool>> {
        let mapping = Mapping::anonymous(shape.bytes())?;
        self.pool_in(mapping, shape)
    }

    pub(super) fn pool_in(&mut self, mapping: Mapping, shape: Shape) -> io::Result<Option<Pool>> {
        self.unregister_dead_pools()?;
        let free = self
            .pools
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.pools.len());
        let Some(buffer) = u16::try_from(free).ok().filter(|buffer| *buffer < BUFFERS) else {
            return Ok(None);
        };
        // SAFETY: the range is exactly one mapping, readable and writable, whose bytes are used by its slots and by
        // requests of this engine only.
        unsafe {
            self.kernel
                .register(buffer, mapping.base().as_ptr(), mapping.len())
        }?;
        let engine = self.id;
        let pool = Pool::new(mapping, shape, Some(Home { engine, buffer }));
        let weak = Some(pool.downgrade());
        match self.pools.get_mut(free) {
            Some(place) => *place = weak,
            None => self.pools.push(weak),
        }
        Ok(Some(pool))
    }

    /// Unpins what no pool uses any more. To be done before memory is pinned: the kernel counts the new memory before it
    /// lets go of what its number stood for.
    fn unregister_dead_pools(&mut self) -> io::Result<()> {
        for (buffer, place) in (0..).zip(&mut self.pools) {
            if place.as_ref().is_some_and(|pool| !pool.in_use()) {
                self.kernel.unregister(buffer)?;
                *place = None;
            }
        }
        Ok(())
    }

    /// Takes a socket; gives it back if no number is left for it.
    pub(crate) fn add(&mut self, fd: OwnedFd) -> Result<Key, OwnedFd> {
        let socket = Socket {
            fd,
            plain_only: false,
        };
        self.sockets
            .insert_growing(socket)
            .map_err(|socket| socket.fd)
    }

    /// Gives a socket back. What is held and queued is handed to the kernel first, because it needs the socket, and a
    /// queued request names the descriptor by its number.
    pub(crate) fn remove(&mut self, socket: Key) -> io::Result<Option<OwnedFd>> {
        self.queue_held()?;
        if self.kernel.queued() > 0 {
            self.kernel.enter(None)?;
        }
        if self.kernel.queued() > 0 {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        Ok(self.sockets.remove(socket).map(|socket| socket.fd))
    }

    /// Queues a send of a slot's bytes; the slot comes back with [`Outcome::Released`], or at once with the error.
    pub(crate) fn send(
        &mut self,
        socket: Key,
        slot: Slot,
        zero_copy: bool,
    ) -> Result<Key, (Slot, SendError)> {
        let home = slot.home().filter(|home| home.engine == self.id);
        let Some(Home { buffer, .. }) = home else {
            return Err((slot, SendError::ForeignSlot));
        };
        // What was held goes first, or the new send would overtake it.
        if let Err(error) = self.queue_held() {
            return Err((slot, SendError::Enter(error)));
        }
        let Some(target) = self.sockets.find(socket) else {
            return Err((slot, SendError::UnknownSocket));
        };
        let zero_copy = zero_copy && !target.plain_only && self.kernel.sends_zero_copy();
        let Ok(len) = u32::try_from(slot.bytes().len()) else {
            // A slot's length comes from a u32.
            return Err((slot, SendError::ForeignSlot));
        };
        let owed = false;
        let flight = Flight {
            lent: Lent::new(slot),
            len,
            buffer,
            socket,
            phase: Phase::Issued { zero_copy, owed },
        };
        let key = self
            .flights
            .insert(flight)
            .map_err(|flight| (flight.lent.take_back(), SendError::Full))?;
        let Err(error) = self.push(key) else {
            #[cfg(test)]
            if let (true, Some(flight)) = (seeded(Defect::FreeAtSend), self.flights.find(key)) {
                flight.lent.free_early();
            }
            return Ok(key);
        };
        match self.flights.remove(key) {
            Some(flight) => Err((flight.lent.take_back(), error)),
            // Not reached: it was inserted above, and nothing else removes it.
            None => Ok(key),
        }
    }

    /// Hands the queue to the kernel and waits as told.
    pub(crate) fn enter(&mut self, wait: Option<Wait>) -> io::Result<()> {
        self.queue_held()?;
        self.kernel.enter(wait)
    }

    /// The next thing that happened, from the completions the kernel has posted.
    pub(crate) fn next(&mut self) -> Option<Outcome> {
        if let Some(key) = self.told.take() {
            if let Some(outcome) = self.release(key) {
                return Some(outcome);
            }
        }
        loop {
            let completion = self.kernel.completion()?;
            #[cfg(test)]
            let completion = super::kernel::Completion {
                more: completion.more && !seeded(Defect::ReleaseAtFirstCompletion),
                ..completion
            };
            let key = Key::from_bits(completion.user_data);
            #[cfg(test)]
            let key = if seeded(Defect::TrustAStaleId) {
                self.flights.current(key)
            } else {
                key
            };
            let flight = match self.flights.find_mut(key) {
                Ok(flight) => flight,
                Err(Missing::Late) => {
                    self.strays.late += 1;
                    continue;
                }
                Err(Missing::Unknown) => {
                    self.strays.unknown += 1;
                    continue;
                }
            };
            let (phase, step) =
                flight
                    .phase
                    .after(&completion, flight.len, self.kernel.reports_usage());
            flight.phase = phase;
            let outcome = match step {
                Step::SendPlainly => self.send_plainly(key),
                step => self.outcome(key, step),
            };
            if outcome.is_some() {
                return outcome;
            }
        }
    }

    /// What a step tells.
    fn outcome(&mut self, key: Key, step: Step) -> Option<Outcome> {
        match step {
            Step::Stray => {
                self.strays.duplicate += 1;
                None
            }
            Step::Wait | Step::SendPlainly => None,
            Step::Result(result) => Some(Outcome::Sent { key, result }),
            Step::ResultAndRelease(result) => {
                self.told = Some(key);
                Some(Outcome::Sent { key, result })
            }
            Step::Release => self.release(key),
        }
    }

    /// Sends in flight, whether or not their result was told.
    pub(crate) fn in_flight(&self) -> u32 {
        self.flights.len()
    }

    pub(crate) fn strays(&self) -> Strays {
        self.strays
    }

    /// Whether a socket refused a zero-copy send, so that its sends are plain.
    pub(crate) fn is_plain_only(&self, socket: Key) -> Option<bool> {
        self.sockets.find(socket).map(|socket| socket.plain_only)
    }

    /// Takes a finished send out of the table.
    fn release(&mut self, key: Key) -> Option<Outcome> {
        let Phase::Done { bytes, usage } = self.flights.find(key)?.phase else {
            return None;
        };
        let Flight { lent, len, .. } = self.flights.remove(key)?;
        let slot = lent.take_back();
        Some(Outcome::Released {
            key,
            slot,
            len,
            bytes,
            usage,
        })
    }

    /// Sends again what a socket refused to send without copying. From now on the socket's sends are plain, so that what
    /// is sent after this one is queued behind it.
    fn send_plainly(&mut self, key: Key) -> Option<Outcome> {
        let socket = self.flights.find(key)?.socket;
        let errno = match self.sockets.find_mut(socket) {
            Ok(socket) if !self.closing => {
                socket.plain_only = true;
                self.held.push_back(key);
                match self.queue_held() {
                    Err(error) if !is_passing(&error) => {
                        self.held.retain(|held| *held != key);
                        error.raw_os_error().unwrap_or(libc::EIO)
                    }
                    // Queued, or held until the kernel takes requests again.
                    _ => return None,
                }
            }
            _ => libc::ECANCELED,
        };
        let flight = self.flights.find_mut(key).ok()?;
        let (phase, step) = flight.phase.given_up(errno);
        flight.phase = phase;
        self.outcome(key, step)
    }

    /// Queues what is held. What the kernel does not take now stays held.
    fn queue_held(&mut self) -> io::Result<()> {
        while let Some(key) = self.held.front().copied() {
            let Ok(flight) = self.flights.find_mut(key) else {
                self.held.pop_front();
                continue;
            };
            let before = flight.phase;
            if let Phase::Held { owed } = before {
                let zero_copy = false;
                flight.phase = Phase::Issued { zero_copy, owed };
                match self.push(key) {
                    Ok(()) => {}
                    Err(error) => {
                        if let Ok(flight) = self.flights.find_mut(key) {
                            flight.phase = before;
                        }
                        return Err(match error {
                            SendError::Enter(error) => error,
                            _ => io::Error::from_raw_os_error(libc::EBUSY),
                        });
                    }
                }
            }
            self.held.pop_front();
        }
        Ok(())
    }

    /// Queues the request of a send in the table, making room in the queue if need be.
    fn push(&mut self, key: Key) -> Result<(), SendError> {
        let flight = self.flights.find(key).ok_or(SendError::Full)?;
        let socket = self
            .sockets
            .find(flight.socket)
            .ok_or(SendError::UnknownSocket)?;
        let request = Request {
            fd: socket.fd.as_raw_fd(),
            address: flight.lent.address(),
            len: flight.len,
            buffer: flight.buffer,
            zero_copy: matches!(
                flight.phase,
                Phase::Issued {
                    zero_copy: true,
                    ..
                }
            ),
            user_data: key.to_bits(),
        };
        // SAFETY: `address` starts a slot of `len` bytes at least. It stays mapped, for a plain send that the kernel
        // reads by address as for a zero-copy one, because the flight holds it as a `Lent`, which keeps the mapping
        // whatever becomes of this engine; and nobody writes it, because only the slot's owner could and `take_back` is
        // called on flights that are not `in_kernel` alone (invariant). If nothing is queued, the callers take the
        // flight out of `Issued` at once. The descriptor is in `sockets`, and `remove` closes none while a request is
        // queued; dropping the engine hands over or discards the queue, with the ring, before it closes any.
        let Err(QueueFull) = (unsafe { self.kernel.push(&request) }) else {
            return Ok(());
        };
        self.kernel.enter(None).map_err(SendError::Enter)?;
        // SAFETY: as above; nothing has changed but the length of the queue.
        unsafe { self.kernel.push(&request) }.map_err(|QueueFull| SendError::Full)
    }

    /// Ends what is in flight, for at most the drain limit.
    fn quiesce(&mut self) {
        self.closing = true;
        let start = Instant::now();
        // Errors here leave sends in flight, and those are leaked.
        let _ = self.kernel.enter(None);
        self.absorb();
        if self.in_kernel() == 0 {
            return;
        }
        let _ = self.kernel.cancel_all(self.drain_limit);
        self.absorb();
        while self.in_kernel() > 0 {
            let left = self.drain_limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            match self.kernel.enter(Some(Wait::AtMost(left))) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
            self.absorb();
        }
    }

    fn absorb(&mut self) {
        while let Some(outcome) = self.next() {
            drop(outcome);
        }
    }

    fn in_kernel(&self) -> usize {
        self.flights
            .iter()
            .filter(|flight| flight.phase.in_kernel())
            .count()
    }
}

impl<K: Kernel> Drop for Engine<K> {
    /// Cancels and drains for at most the limit. What the kernel may still read after that is leaked, never freed; so is
    /// everything if this panics half way, because dropping a flight leaks its slot.
    fn drop(&mut self) {
        #[cfg(test)]
        if seeded(Defect::SkipTheDrain) {
            return self
                .flights
                .drain()
                .for_each(|flight| drop(flight.lent.take_back()));
        }
        self.quiesce();
        for flight in self.flights.drain() {
            if !flight.phase.in_kernel() {
                drop(flight.lent.take_back());
            }
        }
        self.sockets.iter().for_each(Socket::do_not_linger);
    }
}

impl Socket {
    /// Keeps the close from waiting until the peer has taken everything. A linger of zero is the wish to reset the
    /// connection, which waits for nothing.
    fn do_not_linger(&self) {
        let socket = SockRef::from(&self.fd);
        if matches!(socket.linger(), Ok(Some(time)) if !time.is_zero()) {
            // What is no socket does not linger.
            let _ = socket.set_linger(None);
        }
    }
}

/// EINTR: a signal. EBUSY: completions must be taken first. EAGAIN and ENOMEM: the kernel is short of memory.
fn is_passing(error: &io::Error) -> bool {
    let passing = [libc::EINTR, libc::EBUSY, libc::EAGAIN, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|errno| passing.contains(&errno))
}

#[cfg(test)]
mod tests;
