use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::kernel::{Kernel, QueueFull, Request, Wait};
use super::lifecycle::{Phase, Step, Usage};
use super::live::BUFFERS;
use super::slab::{Key, Missing, Slab};
use crate::sys::memory::{Home, Mapping, Pool, Shape, Slot, WeakPool};

/// Owns a ring's sockets and the slots that are in flight.
///
/// # Invariants
///
/// A slot whose request the kernel may still read is in `flights`, in a phase that is `in_kernel`, and leaves the table
/// only after its last completion, or leaked. A descriptor that a queued request names is in `sockets`.
pub(crate) struct Engine<K: Kernel> {
    kernel: K,
    id: u64,
    flights: Slab<Flight>,
    sockets: Slab<Socket>,
    /// The pools by the number of their fixed buffer.
    pools: Vec<WeakPool>,
    /// A send whose result was told and whose release is next.
    told: Option<Key>,
    strays: Strays,
    drain_limit: Duration,
    closing: bool,
}

struct Flight {
    slot: Slot,
    len: u32,
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
            strays: Strays::default(),
            drain_limit,
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
        let free = self
            .pools
            .iter()
            .position(|pool| !pool.in_use())
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
        let Some(pool) = Pool::new(
            mapping,
            shape,
            Home {
                engine: self.id,
                buffer,
            },
        ) else {
            return Ok(None);
        };
        match self.pools.get_mut(free) {
            Some(weak) => *weak = pool.downgrade(),
            None => self.pools.push(pool.downgrade()),
        }
        Ok(Some(pool))
    }

    /// Takes a socket; gives it back if there are four thousand million already.
    pub(crate) fn add(&mut self, fd: OwnedFd) -> Result<Key, OwnedFd> {
        let socket = Socket {
            fd,
            plain_only: false,
        };
        self.sockets
            .insert_growing(socket)
            .map_err(|socket| socket.fd)
    }

    /// Gives a socket back. What is queued is handed to the kernel first, because a queued request names the
    /// descriptor by its number.
    pub(crate) fn remove(&mut self, socket: Key) -> io::Result<Option<OwnedFd>> {
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
        if slot.home().engine != self.id {
            return Err((slot, SendError::ForeignSlot));
        }
        let Some(target) = self.sockets.find(socket) else {
            return Err((slot, SendError::UnknownSocket));
        };
        let zero_copy = zero_copy && !target.plain_only && self.kernel.sends_zero_copy();
        let Ok(len) = u32::try_from(slot.len()) else {
            // A slot's length comes from a u32.
            return Err((slot, SendError::ForeignSlot));
        };
        let flight = Flight {
            slot,
            len,
            socket,
            phase: Phase::Issued { zero_copy },
        };
        let key = self
            .flights
            .insert(flight)
            .map_err(|flight| (flight.slot, SendError::Full))?;
        let Err(error) = self.push(key) else {
            return Ok(key);
        };
        match self.flights.remove(key) {
            Some(flight) => Err((flight.slot, error)),
            // Not reached: it was inserted above, and nothing else removes it.
            None => Ok(key),
        }
    }

    /// Hands the queue to the kernel and waits as told.
    pub(crate) fn enter(&mut self, wait: Option<Wait>) -> io::Result<()> {
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
            let key = Key::from_bits(completion.user_data);
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
                Step::Stray => {
                    self.strays.duplicate += 1;
                    None
                }
                Step::Wait => None,
                Step::Result(result) => Some(Outcome::Sent { key, result }),
                Step::ResultAndRelease(result) => {
                    self.told = Some(key);
                    Some(Outcome::Sent { key, result })
                }
                Step::Release => self.release(key),
                Step::SendPlainly => self.send_plainly(key),
            };
            if outcome.is_some() {
                return outcome;
            }
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
        let Flight { slot, len, .. } = self.flights.remove(key)?;
        Some(Outcome::Released {
            key,
            slot,
            len,
            bytes,
            usage,
        })
    }

    /// Sends again what a socket refused to send without copying; remembers the socket.
    fn send_plainly(&mut self, key: Key) -> Option<Outcome> {
        let flight = self.flights.find_mut(key).ok()?;
        flight.phase = Phase::Issued { zero_copy: false };
        if let Ok(socket) = self.sockets.find_mut(flight.socket) {
            socket.plain_only = true;
        }
        if !self.closing && self.push(key).is_ok() {
            return None;
        }
        let flight = self.flights.find_mut(key).ok()?;
        flight.phase = Phase::Done {
            bytes: 0,
            usage: Usage::NotSent,
        };
        self.told = Some(key);
        Some(Outcome::Sent {
            key,
            result: Err(libc::EOPNOTSUPP),
        })
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
            address: flight.slot.address(),
            len: flight.len,
            buffer: flight.slot.home().buffer,
            zero_copy: flight.phase == Phase::Issued { zero_copy: true },
            user_data: key.to_bits(),
        };
        // SAFETY: the memory is the slot of a flight in the table, in the phase `Issued`. It leaves the table only after
        // its last completion (invariant), and a slot that could not be pushed is taken out by the caller at once. The
        // descriptor is in `sockets`, and `remove` closes none while a request is queued.
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
        let deadline = Instant::now() + self.drain_limit;
        // Errors here leave sends in flight, and those are leaked.
        let _ = self.kernel.enter(None);
        self.absorb();
        if self.in_kernel() == 0 {
            return;
        }
        let _ = self.kernel.cancel_all(self.drain_limit);
        self.absorb();
        while self.in_kernel() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
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
    /// Cancels and drains for at most the limit. What the kernel may still read after that is leaked, never freed.
    fn drop(&mut self) {
        self.quiesce();
        for flight in self.flights.drain() {
            if flight.phase.in_kernel() {
                flight.slot.leak();
            }
        }
    }
}

#[cfg(test)]
mod tests;
