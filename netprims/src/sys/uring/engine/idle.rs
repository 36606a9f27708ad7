//! Receives that are given up when nothing comes.
//!
//! A timeout that is linked to a receive would limit the whole of it, however much came. So such a receive has a clock of
//! its own: a request beside it that completes a few times within the limit, and is queued again each time. That something
//! came costs the receive one store, and nobody reads the time.

use std::io;
use std::time::Duration;

use super::limit::timespec;
use super::receive::State;
use super::{Engine, Flight, GroupHandle, NotQueued, Outcome};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::uring::kernel::{Completion, Kernel, Operation, Request, Target};
use crate::sys::uring::slab::Key;

/// Looks after a receive.
pub(super) struct Clock {
    receive: Key,
    /// How many times it has looked, in a row, and nothing had come.
    silent: u8,
    is_queued: bool,
}

/// How often it looks within the limit. A receive goes on for the limit, and at most for one look more.
const LOOKS: u8 = 4;

/// The least time between two looks.
const LEAST: Duration = Duration::from_millis(1);

impl Clock {
    pub(super) fn in_kernel(&self) -> bool {
        self.is_queued
    }
}

impl<K: Kernel> Engine<K> {
    /// Like [`receive`](Engine::receive), until nothing has come for this long.
    pub(crate) fn receive_until_idle(
        &mut self,
        socket: Key,
        handle: &GroupHandle,
        limit: Duration,
    ) -> Result<Key, NotQueued> {
        if self.flights.room() < 2 {
            return Err(NotQueued::Full);
        }
        let key = self.receive(socket, handle)?;
        let flight = Flight::Clock(Clock {
            receive: key,
            silent: 0,
            is_queued: false,
        });
        // There is room, as was seen.
        let Ok(clock) = self.flights.insert(flight) else {
            return Ok(key);
        };
        self.clocks += 1;
        let time = (limit / u32::from(LOOKS)).max(LEAST);
        self.times.put(clock, timespec(time));
        if let Some(receive) = self.receive_mut(key) {
            receive.clock = Some(clock);
        }
        self.stopped.push_back(clock);
        Ok(key)
    }

    /// Queues the clocks that are to go on. What the kernel does not take now stays where it is.
    pub(super) fn start_clocks(&mut self) -> io::Result<()> {
        while let Some(key) = self.stopped.front().copied() {
            match self.start_clock(key) {
                Ok(()) | Err(NotQueued::UnknownRequest) => {
                    self.stopped.pop_front();
                }
                Err(NotQueued::Enter(error)) => return Err(error),
                Err(_) => return Err(io::Error::from_raw_os_error(libc::EBUSY)),
            }
        }
        Ok(())
    }

    fn start_clock(&mut self, key: Key) -> Result<(), NotQueued> {
        let after = self.times.at(key).ok_or(NotQueued::UnknownRequest)?;
        let Some(Flight::Clock(_)) = self.flights.find(key) else {
            return Err(NotQueued::UnknownRequest);
        };
        let request = Request {
            user_data: key.to_bits(),
            target: Target::Ring,
            operation: Operation::Timeout { after },
        };
        // SAFETY: the time lies in the flight's place of `times`, which is freed when nothing is in the kernel and leaked
        // otherwise; it is written when the next flight gets the place, and this one leaves it when it is not queued.
        unsafe { self.queue(&request) }?;
        if let Some(clock) = self.clock_mut(key) {
            clock.is_queued = true;
        }
        Ok(())
    }

    /// The receive of a clock is over.
    pub(super) fn stop_clock(&mut self, key: Key) {
        let Some(clock) = self.clock_mut(key) else {
            return;
        };
        #[cfg(test)]
        if seeded(Defect::FreeTheClock) {
            return self.remove_clock(key);
        }
        if clock.is_queued {
            // If the kernel does not take that now, the clock runs out by itself, and nobody asks after it.
            let _ = self.queue_cancel(key);
            return;
        }
        self.stopped.retain(|stopped| *stopped != key);
        self.remove_clock(key);
    }

    fn remove_clock(&mut self, key: Key) {
        if self.flights.remove(key).is_some() {
            self.clocks -= 1;
        }
    }

    pub(super) fn clock_completed(&mut self, key: Key, completion: &Completion) -> Option<Outcome> {
        let is_closing = self.closing;
        let clock = self.clock_mut(key)?;
        if !clock.is_queued || completion.more || completion.notification {
            self.strays.duplicate += 1;
            return None;
        }
        clock.is_queued = false;
        let of = clock.receive;
        let Some(receive) = self.receive_mut(of).filter(|_| !is_closing) else {
            self.remove_clock(key);
            return None;
        };
        // While it waits for memory, the silence is not the peer's.
        let is_listening = matches!(receive.state, State::Armed { .. });
        // One that the kernel had no memory for has measured nothing.
        let is_listening = is_listening && completion.result == -libc::ETIME;
        let has_come = !std::mem::replace(&mut receive.is_silent, true);
        let clock = self.clock_mut(key)?;
        clock.silent = if has_come || !is_listening {
            0
        } else {
            clock.silent.saturating_add(1)
        };
        let is_idle = clock.silent >= LOOKS;
        if is_idle && self.cancel_receive(of).is_ok() {
            if let Some(receive) = self.receive_mut(of) {
                receive.is_idle = true;
            }
            return None;
        }
        self.stopped.push_back(key);
        None
    }

    fn clock_mut(&mut self, key: Key) -> Option<&mut Clock> {
        match self.flights.find_mut(key) {
            Ok(Flight::Clock(clock)) => Some(clock),
            _ => None,
        }
    }
}
