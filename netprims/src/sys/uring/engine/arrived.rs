use std::collections::VecDeque;
use std::sync::Arc;

use super::groups::Group;
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

/// A chunk that was told. Whoever drops it instead of giving it back loses its slot, and nothing else.
#[derive(Debug)]
#[must_use = "a chunk that is not given back loses its slot"]
pub(crate) struct Claim {
    group: u16,
    taken: Option<Taken>,
}

/// The memory that the groups of an engine receive into. It stays mapped while this exists, so that a chunk can be read
/// while the engine is used.
#[derive(Debug, Default)]
pub(crate) struct Areas {
    /// Of each group its slots, and its pages if it has some.
    groups: Vec<[Option<Area>; 2]>,
}

/// A chunk, for its receiver. What is not [detached](Loan::detach) is left to the claim.
#[derive(Debug)]
pub(crate) struct Loan<'a> {
    /// Lent for as long as the claim is.
    bytes: &'a [u8],
    area: Option<&'a Area>,
    taken: &'a mut Option<Taken>,
}

impl Claim {
    #[inline]
    pub(super) fn new(group: u16, taken: Option<Taken>) -> Self {
        Self { group, taken }
    }
}

impl Areas {
    /// Lends a chunk.
    #[inline]
    pub(crate) fn lend<'a>(&'a self, claim: &'a mut Claim) -> Loan<'a> {
        let Claim { group, taken } = claim;
        let area = taken.as_ref().and_then(|taken| self.area_of(*group, taken));
        let bytes = match (area, taken.as_ref()) {
            (Some(area), Some(taken)) => area.bytes(taken),
            _ => &[],
        };
        Loan { bytes, area, taken }
    }

    #[inline]
    fn area_of(&self, group: u16, taken: &Taken) -> Option<&Area> {
        let mut areas = self.groups.get(usize::from(group))?.iter().flatten();
        areas.find(|area| area.id() == taken.area())
    }
}

impl Loan<'_> {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// What is told of a message besides its bytes; nothing if nothing is.
    pub(crate) fn head(&self) -> &[u8] {
        match (self.area, self.taken.as_ref()) {
            (Some(area), Some(taken)) => area.head(taken),
            _ => &[],
        }
    }

    /// There was more, which is lost.
    pub(crate) fn is_cut(&self) -> bool {
        self.taken.as_ref().is_some_and(Taken::is_cut)
    }

    /// The bytes as a value of their own; `None` if there are none.
    pub(crate) fn detach(self) -> Option<Piece> {
        self.area?.detach(self.taken.take()?)
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
    pub(super) fn next_received(&mut self) -> Option<Outcome> {
        if let Some(taken) = self.arrived.chunks.pop_front() {
            let (group, key) = (self.arrived.group, self.arrived.key?);
            let len = taken.as_ref().map_or(0, Taken::len);
            if let Some(group) = self.group_mut(group) {
                let is_in_slot = taken.as_ref().is_some_and(|taken| group.is_in_slot(taken));
                // What the kernel copies into pages it counts itself.
                let copied = if is_in_slot { len } else { 0 };
                group.counters.told(len.into(), copied.into());
            }
            let claim = Claim::new(group, taken);
            return Some(Outcome::Received { key, claim });
        }
        let key = self.ended.pop_front()?;
        let Some(Flight::Receive(receive)) = self.flights.remove(key) else {
            return None;
        };
        if let Ok(socket) = self.sockets.find_mut(receive.socket) {
            socket.receive = None;
        }
        if let Some(clock) = receive.clock {
            self.stop_clock(clock);
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

    /// The memory that is received into, as it is now.
    pub(crate) fn areas(&self) -> Arc<Areas> {
        Arc::clone(&self.areas)
    }

    /// Takes note of the groups there are.
    pub(super) fn note_areas(&mut self) {
        let areas_of = |group: &Option<Group>| group.as_ref().map_or([None, None], Group::areas);
        let groups = self.groups.iter().map(areas_of).collect();
        self.areas = Arc::new(Areas { groups });
        let areas = self.areas.groups.iter().flatten().flatten();
        areas.for_each(|area| area.hang(&self.bell));
    }

    /// Takes back a chunk that was told, if nobody keeps it.
    pub(crate) fn give_back(&mut self, mut claim: Claim) {
        self.end_claim(&mut claim);
    }

    /// The same of a claim that stays where it is, and is to nothing then.
    #[inline(always)]
    pub(crate) fn end_claim(&mut self, claim: &mut Claim) {
        if let (Some(group), Some(taken)) = (self.group_mut(claim.group), claim.taken.take()) {
            group.give_back(taken);
        }
    }
}
