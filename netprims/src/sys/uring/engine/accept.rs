use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use super::send::is_passing;
use super::{Engine, Flight, NotQueued, Outcome};
use crate::sys::uring::kernel::{Completion, Kernel, Operation, Request};
use crate::sys::uring::slab::Key;

/// An accept that goes on: one request, a connection with each completion.
pub(super) struct Accept {
    listener: Key,
    state: State,
    /// Its user wants no more: once the kernel has ended it, it is not queued again.
    is_cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The kernel has it, or will at the next enter.
    Armed,
    /// The kernel has ended it without need, as it does when its completion queue is full; it is in `unarmed`.
    Unarmed,
    /// The kernel does not have it and will not get it; it is in `unarmed`.
    Over { errno: i32 },
}

impl Accept {
    pub(super) fn in_kernel(&self) -> bool {
        self.state == State::Armed
    }

    /// What the kernel has is left to it. It may have ended it already: then the asking comes too late for it to see.
    fn give_up(&mut self) {
        self.is_cancelled = true;
        if self.state == State::Unarmed {
            let errno = libc::ECANCELED;
            self.state = State::Over { errno };
        }
    }
}

impl<K: Kernel> Engine<K> {
    /// Queues an accept that goes on until [`Outcome::AcceptEnded`].
    pub(crate) fn accept(&mut self, listener: Key) -> Result<Key, NotQueued> {
        let state = State::Armed;
        let flight = Flight::Accept(Accept {
            listener,
            state,
            is_cancelled: false,
        });
        let key = self.flights.insert(flight).map_err(|_| NotQueued::Full)?;
        let queued = self.push_accept(key);
        if queued.is_err() {
            self.flights.remove(key);
        } else if let Ok(listener) = self.sockets.find_mut(listener) {
            listener.listens = true;
        }
        queued.map(|()| key)
    }

    pub(super) fn accept_completed(
        &mut self,
        key: Key,
        completion: &Completion,
    ) -> Option<Outcome> {
        let accept = self.accept_mut(key)?;
        let fits = accept.state == State::Armed
            && !completion.notification
            && (completion.result >= 0 || !completion.more);
        if !fits {
            // Whose number that is cannot be known: at worst it stays open, for it may be somebody's.
            self.strays.duplicate += 1;
            return None;
        }
        match completion.result {
            0.. => {
                if !completion.more {
                    self.unarm(key);
                }
                // SAFETY: the completion is the kernel's own for an accept that it had not ended, so its result is a new
                // descriptor that nobody owns.
                let fd = unsafe { OwnedFd::from_raw_fd(completion.result) };
                Some(Outcome::Accepted { key, fd })
            }
            // It was the connection's error, not the listener's.
            result if result == -libc::ECONNABORTED => {
                self.unarm(key);
                self.accept_that_is_over()
            }
            result => {
                self.flights.remove(key);
                let errno = result.saturating_neg();
                Some(Outcome::AcceptEnded { key, errno })
            }
        }
    }

    /// Queues the accepts that the kernel has ended without need. What it does not take now stays where it is.
    pub(super) fn arm_again(&mut self) -> io::Result<()> {
        for _ in 0..self.unarmed.len() {
            let Some(key) = self.unarmed.pop_front() else {
                break;
            };
            let is_unarmed = |accept: &mut Accept| accept.state == State::Unarmed;
            if !self.accept_mut(key).is_some_and(is_unarmed) {
                self.unarmed.push_back(key);
                continue;
            }
            self.set_state(key, State::Armed);
            let errno = match self.push_accept(key) {
                Ok(()) => continue,
                Err(NotQueued::Enter(error)) if !is_passing(&error) => {
                    error.raw_os_error().unwrap_or(libc::EIO)
                }
                Err(NotQueued::UnknownSocket) => libc::ECANCELED,
                Err(error) => {
                    self.set_state(key, State::Unarmed);
                    self.unarmed.push_front(key);
                    return Err(match error {
                        NotQueued::Enter(error) => error,
                        _ => io::Error::from_raw_os_error(libc::EBUSY),
                    });
                }
            };
            self.set_state(key, State::Over { errno });
            self.unarmed.push_back(key);
        }
        Ok(())
    }

    /// Gives up an accept: at once if the kernel does not have it, else with its last completion.
    pub(super) fn cancel_accept(&mut self, key: Key) -> Result<(), NotQueued> {
        let accept = self.accept_mut(key).ok_or(NotQueued::UnknownRequest)?;
        if accept.in_kernel() {
            self.queue_cancel(key)?;
        }
        let accept = self.accept_mut(key).ok_or(NotQueued::UnknownRequest)?;
        accept.give_up();
        Ok(())
    }

    /// Gives up the accepts of a listener, which the kernel is asked to do with those it has.
    pub(super) fn give_up_accepts_of(&mut self, listener: Key) {
        for flight in self.flights.iter_mut() {
            match flight {
                Flight::Accept(accept) if accept.listener == listener => accept.give_up(),
                _ => {}
            }
        }
    }

    /// Asks the kernel to give up the accepts of a listener that it has, and gives up the others.
    pub(super) fn cancel_accepts_of(&mut self, listener: Key) -> Result<(), NotQueued> {
        if !self
            .sockets
            .find(listener)
            .is_some_and(|socket| socket.listens)
        {
            return Ok(());
        }
        let goes_on = |flight: &Flight| matches!(flight, Flight::Accept(accept) if accept.listener == listener && !accept.is_cancelled);
        while let Some(key) = self.flights.key_of(goes_on) {
            self.cancel_accept(key)?;
        }
        Ok(())
    }

    pub(super) fn is_an_accept_over(&self) -> bool {
        self.unarmed.iter().any(|key| self.over(*key).is_some())
    }

    /// The end of an accept that ended outside the kernel.
    pub(super) fn accept_that_is_over(&mut self) -> Option<Outcome> {
        let at = self
            .unarmed
            .iter()
            .position(|key| self.over(*key).is_some())?;
        let key = self.unarmed.remove(at)?;
        let errno = self.over(key)?;
        self.flights.remove(key);
        Some(Outcome::AcceptEnded { key, errno })
    }

    fn over(&self, key: Key) -> Option<i32> {
        match self.flights.find(key) {
            Some(Flight::Accept(Accept {
                state: State::Over { errno },
                ..
            })) => Some(*errno),
            _ => None,
        }
    }

    /// Takes note that the kernel has ended an accept without need.
    fn unarm(&mut self, key: Key) {
        let is_closing = self.closing;
        if let Some(accept) = self.accept_mut(key) {
            accept.state = State::Unarmed;
            if is_closing || accept.is_cancelled {
                accept.give_up();
            }
        }
        self.unarmed.push_back(key);
    }

    fn set_state(&mut self, key: Key, state: State) {
        if let Some(accept) = self.accept_mut(key) {
            accept.state = state;
        }
    }

    /// Queues the request of an accept in the table.
    fn push_accept(&mut self, key: Key) -> Result<(), NotQueued> {
        let Some(Flight::Accept(accept)) = self.flights.find(key) else {
            return Err(NotQueued::UnknownRequest);
        };
        let listener = self.sockets.find(accept.listener);
        let request = Request {
            user_data: key.to_bits(),
            target: listener.ok_or(NotQueued::UnknownSocket)?.target(),
            operation: Operation::Accept,
        };
        // SAFETY: the operation uses no memory. The descriptor is in `sockets`, which closes none that a queued request
        // names.
        unsafe { self.queue(&request) }
    }

    fn accept_mut(&mut self, key: Key) -> Option<&mut Accept> {
        match self.flights.find_mut(key) {
            Ok(Flight::Accept(accept)) => Some(accept),
            _ => None,
        }
    }
}
