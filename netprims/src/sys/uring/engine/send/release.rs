use super::{Choice, Engine, Flight, Outcome, send_mut};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::uring::kernel::Kernel;
use crate::sys::uring::lifecycle::Phase;
use crate::sys::uring::slab::Key;
use crate::sys::usage::Usage;

/// Slots of a finished send that are still to be given back.
#[derive(Clone, Copy, Debug)]
pub(in crate::sys::uring::engine) struct Releasing {
    /// The send.
    key: Key,
    part: Key,
    /// Bytes that were taken of these slots.
    bytes: u32,
    usage: Usage,
}

impl<K: Kernel> Engine<K> {
    /// What is to be told of sends before another completion is looked at.
    #[inline(always)]
    pub(in crate::sys::uring::engine) fn pending(&mut self) -> Option<Outcome> {
        if self.releasing.is_some() {
            if let Some(outcome) = self.release_part() {
                return Some(outcome);
            }
        }
        if let Some(key) = self.told.take() {
            if let Some(outcome) = self.release(key) {
                return Some(outcome);
            }
        }
        self.ended_sends.front().and_then(|_| self.ended_send())
    }

    /// The result of a send that has ended without a completion of its own.
    #[cold]
    fn ended_send(&mut self) -> Option<Outcome> {
        let key = self.ended_sends.pop(&mut self.flights)?;
        let send = send_mut(&mut self.flights, key)?;
        let result = send.end;
        if send.is_done() {
            self.told = Some(key);
        }
        Some(Outcome::Sent { key, result })
    }

    /// Takes a finished send out of the table, with its first slot.
    #[inline]
    pub(super) fn release(&mut self, key: Key) -> Option<Outcome> {
        let is_done = |flight: &Flight| matches!(flight, Flight::Send(send) if send.is_done());
        let Some(Flight::Send(mut send)) = self.flights.remove_if(key, is_done) else {
            return None;
        };
        let Phase::Done { bytes, usage } = send.phase else {
            return None;
        };
        #[cfg(test)]
        if seeded(Defect::FreeAtRelease) {
            send.lent.free_early();
        }
        if let Some(header) = send.header.take() {
            self.headers.give_back(header);
        }
        self.totals.add(send.total, bytes, usage);
        if let Ok(socket) = self.sockets.find_mut(send.socket) {
            socket.totals.add(send.total, bytes, usage);
            if let Choice::ZeroCopy(Some(round)) = send.choice {
                socket.auto.told(round, usage);
            }
        }
        let here = bytes.min(send.len);
        if let Some(part) = send.rest {
            self.is_behind = true;
            self.releasing = Some(Releasing {
                key,
                part,
                bytes: bytes - here,
                usage,
            });
        }
        Some(Outcome::Released {
            key,
            slot: send.take_back(),
            bytes: here,
            usage,
        })
    }

    /// The seeded defect: all slots but the first are given back with the result.
    #[cfg(test)]
    pub(super) fn release_early(&mut self, key: Key) {
        let part = send_mut(&mut self.flights, key).and_then(|send| send.rest.take());
        self.is_behind |= part.is_some();
        self.releasing = part.map(|part| Releasing {
            key,
            part,
            bytes: u32::MAX,
            usage: Usage::Unknown,
        });
    }

    /// Takes one more slot of it out.
    fn release_part(&mut self) -> Option<Outcome> {
        let releasing = self.releasing.take()?;
        let Some(Flight::Part(part)) = self.flights.remove(releasing.part) else {
            return None;
        };
        let here = releasing.bytes.min(part.len);
        self.releasing = part.next.map(|next| Releasing {
            part: next,
            bytes: releasing.bytes - here,
            ..releasing
        });
        let is_untouched = here == 0 && part.len > 0;
        Some(Outcome::Released {
            key: releasing.key,
            slot: part.take_back(),
            bytes: here,
            usage: if is_untouched {
                Usage::NotSent
            } else {
                releasing.usage
            },
        })
    }
}
