//! The sends that most are: plain, of one buffer, in a request of their own, with nothing behind them.
//!
//! There is little to know of such a send, so that little is written down, and its completion is taken in at once. Whatever
//! else happens to it goes the long way: there it becomes a [`Send`] like any other ([`send_mut`](super::send_mut)).

use super::{Choice, Engine, Flight, Outcome, Released, Send, Wish};
use crate::sys::memory::{Home, Lent, Slot};
use crate::sys::uring::engine::Listener;
use crate::sys::uring::kernel::{Completion, Kernel, Operation, Request};
use crate::sys::uring::lifecycle::{Phase, usage_of_plain};
use crate::sys::uring::slab::Key;

/// A send that the kernel has, or has finished with.
pub(in crate::sys::uring::engine) struct Plain {
    /// `None` once it was released, and then nothing else is left of the send.
    lent: Option<Lent>,
    len: u32,
    socket: Key,
    /// Bytes that the kernel has taken, once it has.
    taken: Option<u32>,
}

impl Plain {
    pub(in crate::sys::uring::engine) fn in_kernel(&self) -> bool {
        self.taken.is_none()
    }

    pub(in crate::sys::uring::engine) fn socket(&self) -> Key {
        self.socket
    }

    #[cfg(test)]
    pub(super) fn lent(&self) -> Option<&Lent> {
        self.lent.as_ref()
    }

    /// The same with all there is to know of a send.
    pub(super) fn unfold(&mut self) -> Option<Send> {
        let lent = self.lent.take()?;
        let phase = match self.taken {
            None => Phase::Issued {
                zero_copy: false,
                owed: false,
            },
            Some(bytes) => Phase::Done {
                bytes,
                usage: usage_of_plain(bytes),
            },
        };
        Some(Send {
            phase,
            choice: Choice::Plain,
            ..Send::of(lent, self.len, self.socket, Wish::Plain)
        })
    }

    /// The slot, of which the kernel has let go.
    pub(in crate::sys::uring::engine) fn take_back(self) -> Option<Slot> {
        self.lent.map(Lent::take_back)
    }
}

impl<K: Kernel> Engine<K> {
    /// Queues a send if it is one of those; gives the slot back if it is not, or if anything is in its way.
    #[inline(always)]
    pub(super) fn send_at_once(
        &mut self,
        socket: Key,
        slot: Slot,
        wish: Wish,
    ) -> Result<Key, Slot> {
        let len = slot.request_len();
        let Some(Home { buffer, .. }) = slot.home().filter(|home| home.engine == self.id) else {
            return Err(slot);
        };
        // What is held goes first.
        if !self.held.is_empty() || !wish.is_plain(len) {
            return Err(slot);
        }
        let (place, vacancy) = (self.sockets.get_mut(socket), self.flights.vacancy());
        let (Some(place), Some(vacancy)) = (place, vacancy) else {
            return Err(slot);
        };
        if place.underway.is_some() || place.hole.is_some() {
            return Err(slot);
        }
        let key = vacancy.key();
        let request = Request {
            user_data: key.to_bits(),
            target: place.target(),
            operation: Operation::Send {
                address: slot.address(),
                len,
                buffer,
                zero_copy: false,
            },
        };
        // SAFETY: as in `issue`: the slot is owned here until it is put into the table, right after it is with the kernel, and
        // nothing between panics or returns.
        if unsafe { self.kernel.push(&request) }.is_err() {
            return Err(slot);
        }
        vacancy.fill(Flight::Plain(Plain {
            lent: Some(Lent::new(slot)),
            len,
            socket,
            taken: None,
        }));
        place.underway = place.is_ordered.then_some(key);
        #[cfg(test)]
        self.seed_defects(key, true);
        Ok(key)
    }

    /// Takes in the completion of such a send, if it is as most are, and tells what it means. Else nothing is changed, and
    /// the answer is 0.
    #[inline(always)]
    pub(in crate::sys::uring::engine) fn plain_completed<L: Listener<K>>(
        &mut self,
        key: Key,
        completion: &Completion,
        listener: &mut L,
    ) -> usize {
        let Some(bytes) = self.plain_result(key, completion) else {
            return 0;
        };
        let result = Ok(bytes);
        // If this panics, the release is told when the engine is asked again.
        self.told = Some(key);
        listener.hear(self, Outcome::Sent { key, result });
        if !L::HEARS_ON {
            return 1;
        }
        let Some(released) = self.release_plain(key) else {
            // Its handler asked something of it, so that it is no short one any more: it is released like others, next.
            return 1;
        };
        self.told = None;
        listener.hear(self, Outcome::Released { key, released });
        2
    }

    #[inline(always)]
    fn plain_result(&mut self, key: Key, completion: &Completion) -> Option<u32> {
        let Some(Flight::Plain(plain)) = self.flights.get_mut(key) else {
            return None;
        };
        if completion.more || completion.notification || !plain.in_kernel() {
            return None;
        }
        // A kernel that claims more than it was given is not believed.
        let bytes = u32::try_from(completion.result).ok()?.min(plain.len);
        if let Some(place) = self.sockets.get_mut(plain.socket) {
            if place.underway == Some(key) {
                if place.waiting.front().is_some() {
                    return None;
                }
                place.underway = None;
            }
        }
        plain.taken = Some(bytes);
        Some(bytes)
    }

    /// Takes such a send, if it is finished, out of the table.
    #[inline(always)]
    pub(super) fn release_plain(&mut self, key: Key) -> Option<Released> {
        let Self {
            flights,
            sockets,
            gone,
            ..
        } = self;
        flights.remove_with(key, |flight| {
            let Flight::Plain(plain) = flight else {
                return None;
            };
            let bytes = plain.taken?;
            let lent = plain.lent.take()?;
            #[cfg(test)]
            super::release::seed_defects(&lent);
            let usage = usage_of_plain(bytes);
            let totals = match sockets.get_mut(plain.socket) {
                Some(socket) => &mut socket.totals,
                None => gone,
            };
            totals.add(plain.len, bytes, usage);
            Some(Released {
                slot: lent.take_back(),
                bytes,
                usage,
            })
        })
    }
}
