use std::io;

use super::{Engine, Flight, NotQueued, Outcome};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::{Home, Lent, Slot};
use crate::sys::uring::kernel::{Completion, Kernel, Operation, Request};
use crate::sys::uring::lifecycle::{Phase, Step};
use crate::sys::uring::slab::Key;

/// A send: its slot is lent to the kernel until the last completion.
pub(super) struct Send {
    lent: Lent,
    len: u32,
    /// The fixed buffer the slot is in.
    buffer: u16,
    socket: Key,
    phase: Phase,
}

impl Send {
    pub(super) fn in_kernel(&self) -> bool {
        self.phase.in_kernel()
    }

    /// The slot, of which the kernel has let go.
    pub(super) fn take_back(self) -> Slot {
        self.lent.take_back()
    }
}

impl<K: Kernel> Engine<K> {
    /// Queues a send of a slot's bytes; the slot comes back with [`Outcome::Released`], or at once with the error.
    pub(crate) fn send(
        &mut self,
        socket: Key,
        slot: Slot,
        zero_copy: bool,
    ) -> Result<Key, (Slot, NotQueued)> {
        let home = slot.home().filter(|home| home.engine == self.id);
        let Some(Home { buffer, .. }) = home else {
            return Err((slot, NotQueued::ForeignSlot));
        };
        // What was held goes first, or the new send would overtake it.
        if let Err(error) = self.queue_held() {
            return Err((slot, NotQueued::Enter(error)));
        }
        let Some(target) = self.sockets.find(socket) else {
            return Err((slot, NotQueued::UnknownSocket));
        };
        let zero_copy = zero_copy && !target.plain_only && self.kernel.sends_zero_copy();
        let Ok(len) = u32::try_from(slot.bytes().len()) else {
            // A slot's length comes from a u32.
            return Err((slot, NotQueued::ForeignSlot));
        };
        let Some(vacancy) = self.flights.vacancy() else {
            return Err((slot, NotQueued::Full));
        };
        let owed = false;
        let key = vacancy.fill(Flight::Send(Send {
            lent: Lent::new(slot),
            len,
            buffer,
            socket,
            phase: Phase::Issued { zero_copy, owed },
        }));
        let Err(error) = self.push_send(key) else {
            #[cfg(test)]
            if let Some(Flight::Send(send)) = self.flights.find(key) {
                if seeded(Defect::FreeAtSend) {
                    send.lent.free_early();
                }
                if seeded(Defect::UnmapWhatIsSent) {
                    send.lent.unmap_early();
                }
            }
            return Ok(key);
        };
        match self.flights.remove(key) {
            Some(Flight::Send(send)) => Err((send.take_back(), error)),
            // Not reached: it was put in above, and nothing else takes it out.
            _ => Ok(key),
        }
    }

    pub(super) fn send_completed(&mut self, key: Key, completion: &Completion) -> Option<Outcome> {
        let reports_usage = self.kernel.reports_usage();
        let send = self.send_mut(key)?;
        let (phase, step) = send.phase.after(completion, send.len, reports_usage);
        send.phase = phase;
        match step {
            Step::SendPlainly => self.send_plainly(key),
            step => self.outcome(key, step),
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

    /// Takes a finished send out of the table.
    pub(super) fn release(&mut self, key: Key) -> Option<Outcome> {
        let Phase::Done { bytes, usage } = self.send_mut(key)?.phase else {
            return None;
        };
        let Some(Flight::Send(send)) = self.flights.remove(key) else {
            return None;
        };
        #[cfg(test)]
        if seeded(Defect::FreeAtRelease) {
            send.lent.free_early();
        }
        Some(Outcome::Released {
            key,
            len: send.len,
            slot: send.take_back(),
            bytes,
            usage,
        })
    }

    /// Sends again what a socket refused to send without copying. From now on the socket's sends are plain, so that what
    /// is sent after this one is queued behind it.
    fn send_plainly(&mut self, key: Key) -> Option<Outcome> {
        let socket = self.send_mut(key)?.socket;
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
        let send = self.send_mut(key)?;
        let (phase, step) = send.phase.given_up(errno);
        send.phase = phase;
        self.outcome(key, step)
    }

    /// Queues what is held. What the kernel does not take now stays held.
    pub(super) fn queue_held(&mut self) -> io::Result<()> {
        while let Some(key) = self.held.front().copied() {
            let Some(send) = self.send_mut(key) else {
                self.held.pop_front();
                continue;
            };
            let before = send.phase;
            if let Phase::Held { owed } = before {
                let zero_copy = false;
                send.phase = Phase::Issued { zero_copy, owed };
                if let Err(error) = self.push_send(key) {
                    if let Some(send) = self.send_mut(key) {
                        send.phase = before;
                    }
                    return Err(match error {
                        NotQueued::Enter(error) => error,
                        _ => io::Error::from_raw_os_error(libc::EBUSY),
                    });
                }
            }
            self.held.pop_front();
        }
        Ok(())
    }

    /// Queues the request of a send in the table.
    fn push_send(&mut self, key: Key) -> Result<(), NotQueued> {
        let Some(Flight::Send(send)) = self.flights.find(key) else {
            return Err(NotQueued::UnknownRequest);
        };
        let socket = self.sockets.find(send.socket);
        let zero_copy = matches!(
            send.phase,
            Phase::Issued {
                zero_copy: true,
                ..
            }
        );
        let request = Request {
            user_data: key.to_bits(),
            target: socket.ok_or(NotQueued::UnknownSocket)?.target(),
            operation: Operation::Send {
                address: send.lent.address(),
                len: send.len,
                buffer: send.buffer,
                zero_copy,
            },
        };
        // SAFETY: `address` starts a slot of `len` bytes at least. It stays mapped, for a plain send that the kernel
        // reads by address as for a zero-copy one, because the flight holds it as a `Lent`, which keeps the mapping
        // whatever becomes of this engine; and nobody writes it, because only the slot's owner could and `take_back` is
        // called on flights that are not `in_kernel` alone (invariant). If nothing is queued, the callers take the
        // flight out of `Issued` at once. The descriptor is in `sockets`, which closes none that a queued request names.
        unsafe { self.queue(&request) }
    }

    fn send_mut(&mut self, key: Key) -> Option<&mut Send> {
        match self.flights.find_mut(key) {
            Ok(Flight::Send(send)) => Some(send),
            _ => None,
        }
    }
}

/// EINTR: a signal. EBUSY: completions must be taken first. EAGAIN and ENOMEM: the kernel is short of memory.
pub(super) fn is_passing(error: &io::Error) -> bool {
    let passing = [libc::EINTR, libc::EBUSY, libc::EAGAIN, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|errno| passing.contains(&errno))
}
