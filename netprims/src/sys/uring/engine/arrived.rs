use std::collections::VecDeque;

use super::receive::State;
use super::{Engine, Flight, Outcome};
use crate::sys::uring::kernel::Kernel;
use crate::sys::uring::rx::{Area, Piece, Taken};
use crate::sys::uring::slab::Key;

/// What a completion brought and was not told yet. There is one at a time.
pub(super) struct Arrived {
    pub(super) key: Option<Key>,
    pub(super) group: u16,
    /// Of each chunk, its claim; an empty datagram has none.
    pub(super) chunks: VecDeque<Option<Taken>>,
}

/// The chunk that was told last.
pub(super) struct Told {
    group: u16,
    taken: Option<Taken>,
}

/// The chunk that was told last, for its receiver. What is not [detached](Loan::detach) goes back when the engine is asked
/// for the next outcome.
#[derive(Debug)]
pub(crate) struct Loan<'a> {
    area: Option<&'a Area>,
    taken: Option<&'a mut Option<Taken>>,
}

impl Loan<'_> {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        let taken = self.taken.as_deref().and_then(Option::as_ref);
        match (self.area, taken) {
            (Some(area), Some(taken)) => area.bytes(taken),
            _ => &[],
        }
    }

    /// The bytes as a value of their own; `None` if there are none.
    pub(crate) fn detach(self) -> Option<Piece> {
        self.area?.detach(self.taken?.take()?)
    }
}

impl Arrived {
    pub(super) fn new() -> Self {
        Self {
            key: None,
            group: 0,
            chunks: VecDeque::new(),
        }
    }

    /// Makes room for as many chunks as a group has slots.
    pub(super) fn reserve(&mut self, slots: u32) {
        let slots = usize::try_from(slots).unwrap_or(0);
        self.chunks.reserve(slots.saturating_sub(self.chunks.len()));
    }
}

impl<K: Kernel> Engine<K> {
    /// The next chunk, or the next end.
    #[inline]
    pub(super) fn next_received(&mut self) -> Option<Outcome> {
        if let Some(taken) = self.arrived.chunks.pop_front() {
            let (group, key) = (self.arrived.group, self.arrived.key?);
            let len = taken.as_ref().map_or(0, Taken::len);
            if let Some(group) = self.group_mut(group) {
                group.counters.chunks.add(1);
                group.counters.bytes.add(len.into());
                let is_in_slot = taken.as_ref().is_some_and(|taken| group.is_in_slot(taken));
                // What the kernel copies into pages it counts itself.
                group
                    .counters
                    .copied
                    .add(if is_in_slot { len.into() } else { 0 });
            }
            self.lent_out = Some(Told { group, taken });
            return Some(Outcome::Received { key });
        }
        let key = self.ended.pop_front()?;
        let Some(Flight::Receive(receive)) = self.flights.remove(key) else {
            return None;
        };
        if let Ok(socket) = self.sockets.find_mut(receive.socket) {
            socket.receive = None;
        }
        if let Some(group) = self.group_mut(receive.group) {
            group.users -= 1;
        }
        match receive.state {
            State::Ended(end) => Some(Outcome::ReceiveEnded { key, end }),
            // Not reached: only what has ended is in `ended`.
            _ => None,
        }
    }

    /// The chunk that was told last.
    #[inline]
    pub(crate) fn loan(&mut self) -> Loan<'_> {
        let told = self.lent_out.as_mut();
        let number = told.as_ref().map(|told| usize::from(told.group));
        let group = number.and_then(|number| self.groups.get(number)?.as_ref());
        Loan {
            area: group
                .zip(told.as_ref())
                .and_then(|(group, told)| group.area_of(told.taken.as_ref()?)),
            taken: told.map(|told| &mut told.taken),
        }
    }

    /// Takes back the chunk that was told last, if nobody keeps it.
    #[inline]
    pub(super) fn settle(&mut self) {
        let Some(Told { group, taken }) = self.lent_out.take() else {
            return;
        };
        if let (Some(group), Some(taken)) = (self.group_mut(group), taken) {
            group.give_back(taken);
        }
    }
}
