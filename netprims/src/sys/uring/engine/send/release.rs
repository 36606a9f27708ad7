use super::{Choice, Engine, Flight, Outcome, Released, send_mut};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
#[cfg(test)]
use crate::sys::memory::Lent;
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
    pub(in crate::sys::uring::engine) fn pending(&mut self) -> Option<Outcome> {
        if self.releasing.is_some() {
            if let Some(outcome) = self.release_part() {
                return Some(outcome);
            }
        }
        // The release of the send whose result was told last.
        if let Some(key) = self.told.take() {
            if let Some(released) = self.release(key) {
                return Some(Outcome::Released { key, released });
            }
        }
        self.ended_sends.front().and_then(|_| self.ended_send())
    }

    /// The result of a send that has ended without a completion of its own.
    #[cold]
    fn ended_send(&mut self) -> Option<Outcome> {
        let key = self.ended_sends.pop(&mut self.flights)?;
        let send = send_mut(&mut self.flights, key)?;
        let (result, socket) = (send.end, send.socket);
        if send.is_done() {
            self.told = Some(key);
        }
        if let Ok(place) = self.sockets.find_mut(socket) {
            place.hole = place.hole.filter(|hole| *hole != key);
        }
        Some(Outcome::Sent { key, result })
    }

    /// Takes a finished send out of the table, with its first slot.
    pub(super) fn release(&mut self, key: Key) -> Option<Released> {
        if let Some(Flight::Plain(_)) = self.flights.find(key) {
            return self.release_plain(key);
        }
        let Self {
            flights,
            sockets,
            headers,
            gone,
            ..
        } = self;
        let (released, rest) = flights.remove_with(key, |flight| {
            let Flight::Send(send) = flight else {
                return None;
            };
            let Phase::Done { bytes, usage } = send.phase else {
                return None;
            };
            let lent = send.lent.take()?;
            #[cfg(test)]
            seed_defects(&lent);
            if let Some(header) = send.header.take() {
                headers.give_back(header);
            }
            match sockets.get_mut(send.socket) {
                Some(socket) => {
                    socket.totals.add(send.total, bytes, usage);
                    if let Choice::ZeroCopy(Some(round)) = send.choice {
                        socket.auto.told(round, usage);
                    }
                }
                None => gone.add(send.total, bytes, usage),
            }
            let here = bytes.min(send.len);
            let rest = send.rest.map(|part| Releasing {
                key,
                part,
                bytes: bytes - here,
                usage,
            });
            let released = Released {
                slot: lent.take_back(),
                bytes: here,
                usage,
            };
            Some((released, rest))
        })?;
        if rest.is_some() {
            self.is_behind = true;
            self.releasing = rest;
        }
        Some(released)
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
        let released = Released {
            slot: part.take_back(),
            bytes: here,
            usage: if is_untouched {
                Usage::NotSent
            } else {
                releasing.usage
            },
        };
        let key = releasing.key;
        Some(Outcome::Released { key, released })
    }
}

#[cfg(test)]
pub(super) fn seed_defects(lent: &Lent) {
    if seeded(Defect::FreeAtRelease) {
        lent.free_early();
    }
}
