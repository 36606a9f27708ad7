use std::io;

use super::{Choice, Send, Wish, is_passing, send_mut, send_ref, set_phase};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::Lent;
use crate::sys::uring::engine::limit::Limit;
use crate::sys::uring::engine::{Engine, Flight, NotQueued};
use crate::sys::uring::kernel::{Kernel, Operation, Request};
use crate::sys::uring::lifecycle::Phase;
use crate::sys::uring::slab::{Key, Slab};

impl<K: Kernel> Engine<K> {
    /// Chooses whether a send copies, unless that was done.
    pub(super) fn choose(&mut self, key: Key) {
        let Some(send) = send_mut(&mut self.flights, key) else {
            return;
        };
        let (Choice::Open, Ok(socket)) = (send.choice, self.sockets.find_mut(send.socket)) else {
            return;
        };
        let is_possible = if send.is_message() {
            self.kernel.sends_messages_zero_copy()
        } else {
            self.kernel.sends_zero_copy()
        };
        send.choice = match send.wish {
            _ if socket.plain_only || !is_possible => Choice::Plain,
            Wish::Plain => Choice::Plain,
            Wish::ZeroCopy => Choice::ZeroCopy(None),
            Wish::Auto(policy) => match socket.auto.choose(send.total, &policy) {
                Some(round) => Choice::ZeroCopy(Some(round)),
                None => Choice::Plain,
            },
        };
    }

    /// Queues the request of a send that the kernel does not have.
    pub(super) fn issue(&mut self, key: Key) -> Result<(), NotQueued> {
        self.choose(key);
        let send = send_mut(&mut self.flights, key).ok_or(NotQueued::UnknownRequest)?;
        let Phase::Held { owed } = send.phase else {
            return Ok(());
        };
        let zero_copy = matches!(send.choice, Choice::ZeroCopy(_));
        let is_limited = send.limit == Limit::Ahead;
        let target = self
            .sockets
            .find(send.socket)
            .ok_or(NotQueued::UnknownSocket)?
            .target();
        let Some(send) = send_ref(&self.flights, key) else {
            return Err(NotQueued::UnknownRequest);
        };
        let manner = self.manner(key, send);
        let is_message = send.is_message() || send.along > 0;
        let lent = send.lent.as_ref().ok_or(NotQueued::UnknownRequest)?;
        let (address, len) = (lent.address(), send.len);
        let operation = match (send.fixed, manner.to) {
            (Some(buffer), None) if !is_message => Operation::Send {
                address,
                len,
                buffer,
                zero_copy,
            },
            (Some(buffer), Some(to)) if !is_message => Operation::SendTo {
                address,
                len,
                buffer,
                zero_copy,
                to,
            },
            (fixed, _) => {
                let can_be_fixed = zero_copy && self.kernel.sends_fixed_messages();
                let buffer = fixed.filter(|_| can_be_fixed);
                let send = send_mut(&mut self.flights, key).ok_or(NotQueued::UnknownRequest)?;
                let mut header = match send.header.take() {
                    Some(header) => header,
                    None => self.headers.take().ok_or(NotQueued::Full)?,
                };
                header.fill(buffers(&self.flights, key), manner);
                let address = header.address();
                let send = send_mut(&mut self.flights, key).ok_or(NotQueued::UnknownRequest)?;
                send.header = Some(header);
                Operation::SendMessage {
                    header: address,
                    buffer,
                    zero_copy,
                }
            }
        };
        set_phase(&mut self.flights, key, Phase::Issued { zero_copy, owed });
        let request = Request {
            user_data: key.to_bits(),
            target,
            operation,
        };
        // SAFETY: the addresses are those of slots, with no more than their bytes, and of an entry of `headers` that
        // names such slots: those of this send and of the sends that go along. They stay mapped, for a plain send that the
        // kernel reads by address as for a zero-copy one: flights hold each slot as a `Lent`, which keeps the mapping
        // whatever becomes of this engine, and the entry as an `Header`, without whose return its table stays mapped. And
        // nobody writes them, because only the owners could, and they are taken out of flights that are not `in_kernel`
        // alone (invariant): this send is `Issued` with all its slots, and those that go along are `Along`, until the last
        // completion. If nothing is queued, it is not `Issued` any more. The descriptor is in `sockets`, which closes none
        // that a queued request names. The address it goes to lies in the flight's place of `addresses`, and the limit's time in
        // that of `times`, which are freed when nothing is in the kernel and leaked otherwise; they are written when the next
        // flight gets the place, which this one keeps until it and its limit have completed.
        let limit = if is_limited { self.limit_of(key) } else { None };
        let queued = match limit {
            // SAFETY: as above.
            Some(limit) => unsafe { self.queue_both(&request, &limit) },
            // SAFETY: as above.
            None => unsafe { self.queue(&request) },
        };
        if queued.is_err() {
            set_phase(&mut self.flights, key, Phase::Held { owed });
        } else if is_limited {
            self.limit_is_queued(key);
        }
        #[cfg(test)]
        self.seed_defects(key, queued.is_ok());
        queued
    }

    #[cfg(test)]
    pub(super) fn seed_defects(&mut self, key: Key, is_queued: bool) {
        // A plain one is not unfolded for this.
        let (lent, header) = match self.flights.find(key).filter(|_| is_queued) {
            Some(Flight::Plain(plain)) => (plain.lent(), None),
            Some(Flight::Send(send)) => (send.lent.as_ref(), send.header.as_ref()),
            _ => return,
        };
        let Some(lent) = lent else {
            return;
        };
        if seeded(Defect::FreeAtSend) {
            lent.free_early();
        }
        if seeded(Defect::UnmapWhatIsSent) {
            lent.unmap_early();
        }
        if let (true, Some(header)) = (seeded(Defect::FreeHeaderAtSend), header) {
            self.headers.free_early(header);
        }
    }

    /// Queues a send, or holds it until the kernel takes requests again.
    pub(super) fn hold(&mut self, key: Key) -> Result<(), i32> {
        self.held.push_back(key);
        match self.queue_held() {
            Err(error) if !is_passing(&error) => {
                self.held.retain(|held| *held != key);
                Err(error.raw_os_error().unwrap_or(libc::EIO))
            }
            _ => Ok(()),
        }
    }

    /// Queues what is held. What the kernel does not take now stays held.
    pub(in crate::sys::uring::engine) fn queue_held(&mut self) -> io::Result<()> {
        while let Some(key) = self.held.front().copied() {
            match self.issue(key) {
                Ok(()) | Err(NotQueued::UnknownRequest) => {
                    self.held.pop_front();
                }
                Err(NotQueued::Enter(error)) => return Err(error),
                Err(_) => return Err(io::Error::from_raw_os_error(libc::EBUSY)),
            }
        }
        Ok(())
    }

    /// The bytes of a send, and of those that go along.
    pub(super) fn bytes_of_request(&self, key: Key) -> u32 {
        let Some(send) = send_ref(&self.flights, key) else {
            return 0;
        };
        if send.along == 0 {
            return send.total;
        }
        // They do not overflow: little is put together.
        sends(&self.flights, key).map(|send| send.total).sum()
    }
}

/// A send, and those that go along.
pub(super) fn sends(flights: &Slab<Flight>, key: Key) -> impl Iterator<Item = &Send> {
    let first = send_ref(flights, key);
    let along = first.map_or(0, |first| usize::from(first.along));
    std::iter::successors(first, |send| send_ref(flights, send.next?)).take(along + 1)
}

/// What a request sends, in order.
fn buffers(flights: &Slab<Flight>, key: Key) -> impl Iterator<Item = &Lent> {
    sends(flights, key).flat_map(|send| {
        let part = |key| match flights.find(key) {
            Some(Flight::Part(part)) => Some(part),
            _ => None,
        };
        let first = send.rest.and_then(part);
        let rest = std::iter::successors(first, move |this| this.next.and_then(part));
        send.lent.iter().chain(rest.map(|part| &part.lent))
    })
}
