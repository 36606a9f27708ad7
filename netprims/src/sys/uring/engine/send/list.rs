use super::{Flight, send_mut, send_ref};
use crate::sys::uring::slab::{Key, Slab};

/// Sends in a row, linked in the table they are in: no memory of its own. A send is in one list at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::sys::uring::engine) struct List {
    front: Option<Key>,
    back: Option<Key>,
}

impl List {
    #[inline]
    pub(super) fn front(&self) -> Option<Key> {
        self.front
    }

    pub(super) fn push(&mut self, key: Key, flights: &mut Slab<Flight>) {
        match self.back.and_then(|back| send_mut(flights, back)) {
            Some(back) => back.next = Some(key),
            None => self.front = Some(key),
        }
        self.back = Some(key);
    }

    #[inline]
    pub(super) fn pop(&mut self, flights: &mut Slab<Flight>) -> Option<Key> {
        let key = self.front?;
        self.front = send_mut(flights, key).and_then(|send| send.next.take());
        if self.front.is_none() {
            self.back = None;
        }
        Some(key)
    }

    /// Puts another list before this one.
    pub(super) fn prepend(&mut self, other: Self, flights: &mut Slab<Flight>) {
        let Some(last) = other.back else {
            return;
        };
        if let Some(send) = send_mut(flights, last) {
            send.next = self.front;
        }
        self.front = other.front;
        self.back = self.back.or(other.back);
    }

    /// Takes one out, wherever it is. False if it is not in the list.
    pub(super) fn remove(&mut self, key: Key, flights: &mut Slab<Flight>) -> bool {
        let (mut before, mut at) = (None, self.front);
        while let Some(here) = at {
            let next = send_ref(flights, here).and_then(|send| send.next);
            if here != key {
                before = at;
                at = next;
                continue;
            }
            match before.and_then(|before| send_mut(flights, before)) {
                Some(before) => before.next = next,
                None => self.front = next,
            }
            if next.is_none() {
                self.back = before;
            }
            if let Some(send) = send_mut(flights, key) {
                send.next = None;
            }
            return true;
        }
        false
    }
}
