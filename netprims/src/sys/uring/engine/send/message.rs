use super::{Part, Send, Wish, send_mut};
use crate::sys::memory::{Lent, Slot};
use crate::sys::uring::engine::{Engine, Flight, NotQueued};
use crate::sys::uring::headers::MOST_BUFFERS;
use crate::sys::uring::kernel::Kernel;
use crate::sys::uring::slab::Key;

/// The kernel takes no more bytes at a time, and cuts off the rest. Source: `MAX_RW_COUNT` in `include/linux/fs.h`.
const MOST_BYTES: u32 = 0x7fff_f000;

impl<K: Kernel> Engine<K> {
    /// Whether slots can be sent as one message to a socket, but for what the kernel says.
    pub(crate) fn check_message<'a>(
        &mut self,
        socket: Key,
        slots: impl ExactSizeIterator<Item = &'a Slot>,
    ) -> Result<(), NotQueued> {
        self.sockets.find(socket).ok_or(NotQueued::UnknownSocket)?;
        let count = slots.len();
        let mut total = 0_usize;
        for slot in slots {
            let is_ours = slot.home().is_some_and(|home| home.engine == self.id);
            is_ours.then_some(()).ok_or(NotQueued::ForeignSlot)?;
            total = total.saturating_add(slot.bytes().len());
        }
        let fits = u32::try_from(total).is_ok_and(|total| total <= MOST_BYTES);
        if count == 0 || count > MOST_BUFFERS || !fits {
            return Err(NotQueued::Shape);
        }
        if count > self.flights.room() {
            return Err(NotQueued::Full);
        }
        // What was held goes first, or the new send would overtake it.
        self.queue_held().map_err(NotQueued::Enter)
    }

    /// Makes one send of slots that `check_message` has accepted. The kernel does not have it yet.
    pub(crate) fn put_together(
        &mut self,
        socket: Key,
        mut slots: impl Iterator<Item = Slot>,
        wish: Wish,
    ) -> Option<Key> {
        let key = self.put_in(socket, slots.next()?, wish).ok()?;
        let mut last = key;
        for slot in slots {
            last = self.append(key, last, slot)?;
        }
        Some(key)
    }

    /// Queues a send that was put together. The slots come back with one [`Outcome::Released`](super::Outcome::Released)
    /// each, or at once, in order, with the error.
    pub(crate) fn start_message(
        &mut self,
        key: Key,
        socket: Key,
        mut give_back: impl FnMut(Slot),
    ) -> Result<(), NotQueued> {
        let started = self.start(key, socket);
        if started.is_err() {
            self.take_out(key, &mut give_back);
        }
        started
    }

    /// Puts a send into the table; gives the slot back if it has no room, or the slot is none to send.
    pub(super) fn put_in(&mut self, socket: Key, slot: Slot, wish: Wish) -> Result<Key, Slot> {
        let len = slot.request_len();
        match (slot.home(), self.flights.vacancy()) {
            (Some(_), Some(vacancy)) => {
                let send = Send::new(slot, len, socket, wish);
                Ok(vacancy.fill(Flight::Send(send)))
            }
            _ => Err(slot),
        }
    }

    /// Gives a send one more slot, behind its last.
    fn append(&mut self, key: Key, last: Key, slot: Slot) -> Option<Key> {
        let len = slot.request_len();
        let buffer = slot.home().map(|home| home.buffer);
        let part = self.flights.vacancy()?.fill(Flight::Part(Part {
            lent: Lent::new(slot),
            len,
            next: None,
            in_kernel: false,
        }));
        match self.flights.find_mut(last) {
            Ok(Flight::Send(send)) => send.rest = Some(part),
            Ok(Flight::Part(before)) => before.next = Some(part),
            _ => {}
        }
        let send = send_mut(&mut self.flights, key)?;
        send.total = send.total.saturating_add(len);
        send.buffers = send.buffers.saturating_add(1);
        // The kernel answers EFAULT to an empty range in a fixed buffer. Source: `io_vec_fill_bvec` in `io_uring/rsrc.c`.
        let is_empty = len == 0 || send.len == 0;
        send.fixed = send
            .fixed
            .filter(|fixed| buffer == Some(*fixed) && !is_empty);
        Some(part)
    }

    /// Takes a send that the kernel does not have out of the table.
    fn take_out(&mut self, key: Key, give_back: &mut impl FnMut(Slot)) {
        let Some(Flight::Send(mut send)) = self.flights.remove(key) else {
            return;
        };
        if let Some(header) = send.header.take() {
            self.headers.give_back(header);
        }
        let mut rest = send.rest;
        send.take_back().into_iter().for_each(&mut *give_back);
        while let Some(Flight::Part(part)) = rest.and_then(|part| self.flights.remove(part)) {
            rest = part.next;
            give_back(part.take_back());
        }
    }
}
