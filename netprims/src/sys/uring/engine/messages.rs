//! Receives of messages: each with all that the kernel tells of it, which lies before its bytes.

use std::io;

use socket2::{Domain, SockRef};

use super::groups::{Group, GroupHandle};
use super::receive::{Receive, Way};
use super::sockets::Socket;
use super::{Engine, NotQueued};
use crate::sys::uring::kernel::{Kernel, Operation};
use crate::sys::uring::rx::{HEADROOM, Layout, Slots, Taken};

impl<K: Kernel> Engine<K> {
    /// Has a group receive messages only, each with its head: the slots are [`HEADROOM`] longer than what they are for.
    pub(crate) fn keep_for_messages(&mut self, handle: &GroupHandle) {
        if let Some((_, group)) = self.group_of(handle) {
            group.is_for_messages = group.slots.area().slot_len() > HEADROOM;
        }
    }
}

impl Group {
    /// A slot for one request, and what that does with it.
    pub(super) fn lend(
        &mut self,
        layout: Option<Layout>,
        tells_all: bool,
    ) -> Option<(u32, Operation)> {
        if let Some(layout) = layout {
            let (slot, header) = self.slots.lend_for_message(layout)?;
            let header = header.as_ptr();
            return Some((slot, Operation::ReceiveMessage { header }));
        }
        let (slot, address) = self.slots.lend()?;
        let operation = Operation::Receive {
            address: address.as_ptr(),
            len: self.slots.area().slot_len(),
            tells_all,
        };
        Some((slot, operation))
    }
}

impl Socket {
    /// How messages of this socket lie in their slots.
    pub(super) fn layout(&self, way: Way, kind: i32) -> Result<Layout, NotQueued> {
        if kind == libc::SOCK_STREAM {
            return Err(NotQueued::NoMessages);
        }
        // Others may bring descriptors, which nobody here would own; without room they are not made.
        let control = matches!(self.domain(), Ok(Domain::IPV4 | Domain::IPV6));
        Ok(match way {
            Way::Plain => Layout::named(control),
            _ => Layout::shown(control),
        })
    }

    fn domain(&self) -> io::Result<Domain> {
        SockRef::from(self.fd()).domain()
    }
}

impl Receive {
    /// How many bytes of the message a result means.
    pub(super) fn payload(&self, result: i32) -> i32 {
        let head = self.layout.filter(|_| self.way != Way::Plain);
        let head = head.map_or(0, Layout::head);
        let head = i32::try_from(head).unwrap_or(0);
        if result < head {
            result.min(0)
        } else {
            result - head
        }
    }

    /// How many bytes of a slot the kernel has written, from its start. `None` if it says what cannot be.
    pub(super) fn written(&self, result: i32, slot_len: u32) -> Option<u32> {
        let told = u32::try_from(result).unwrap_or(0);
        match (self.layout, self.way) {
            (None, _) if self.tells_all => Some(told.min(slot_len)),
            (None, _) => Some(told),
            (Some(_), _) if result < 0 => Some(0),
            (Some(_), Way::Plain) if result == 0 && self.ends_with_nothing => Some(0),
            (Some(layout), Way::Plain) => {
                let room = slot_len.saturating_sub(HEADROOM);
                Some(layout.head() + told.min(room))
            }
            (Some(layout), _) => (told == 0 || told >= layout.head()).then_some(told),
        }
    }

    /// Makes a claim to what was written one to the bytes of the message.
    pub(super) fn divide(&self, taken: Taken, result: i32, slot_len: u32) -> Taken {
        match self.layout {
            Some(layout) => layout.divide(taken, slot_len.saturating_sub(HEADROOM)),
            None => {
                let told = u32::try_from(result).unwrap_or(0);
                taken.cut_if(self.tells_all && told > slot_len)
            }
        }
    }

    /// Writes down what a request of one message told of it.
    ///
    /// # Safety
    ///
    /// The slot was [lent](Group::lend) to a request of this receive, which is over.
    pub(super) unsafe fn write_down(&self, slots: &mut Slots, slot: u32, result: i32) {
        if let (Some(layout), Ok(len)) = (self.layout, u32::try_from(result)) {
            // SAFETY: the caller's promise; with a layout it was lent for a message.
            unsafe { slots.write_down(slot, layout, len) };
        }
    }
}

/// A claim to no bytes.
pub(super) fn is_nothing(taken: &Option<Taken>) -> bool {
    taken.as_ref().is_some_and(|taken| taken.len() == 0)
}

#[cfg(test)]
mod tests;
