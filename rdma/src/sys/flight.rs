//! What a queue pair has posted and not got back.
//!
//! One fixed ring per queue, filled in posting order; the slot of sequence number `seq` is `seq mod
//! size`. A send completion stands for the unsignalled sends before it, too (selective signalling),
//! but never for a signalled one: that has a completion of its own. Of receives, each completion
//! stands for itself only.

#[cfg(test)]
use super::defect::{Defect, seeded};

/// The deepest queue: half of the sequence space would be the limit of the window arithmetic.
pub(crate) const MAX_DEPTH: u32 = 1 << 24;

/// A completion that stands for nothing in flight: repeated, or never posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotInFlight;

/// An item in flight, on a cache line of its own where that is enough.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Flying<T> {
    pub(crate) item: T,
    /// Of a send: how many unsignalled ones stand right before it, for which its completion stands, too.
    run: u32,
}

/// The slots of a queue.
#[derive(Debug)]
struct Ring<T> {
    slots: Box<[Option<Flying<T>>]>,
    mask: u32,
}

impl<T> Ring<T> {
    fn new(depth: u32) -> Self {
        let size = depth.min(MAX_DEPTH).next_power_of_two();
        Ring {
            slots: (0..size).map(|_| None).collect(),
            mask: size - 1,
        }
    }

    #[inline(always)]
    fn slot(&mut self, seq: u32) -> &mut Option<Flying<T>> {
        // In range: the mask is one less than the number of slots.
        &mut self.slots[(seq & self.mask) as usize]
    }
}

/// Why a send completion cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotNext {
    /// It stands for nothing in flight.
    NotInFlight,
    /// A signalled send before it has not had its own completion.
    Missing,
}

/// Sends in flight: `tail..head`, in wrapping sequence numbers.
///
/// Of any `depth` sends in a row at least one is signalled, if the caller does as
/// [`must_signal`](Self::must_signal) says: so a full queue always has a completion to come.
#[derive(Debug)]
pub(crate) struct SendFlight<T> {
    ring: Ring<T>,
    depth: u32,
    head: u32,
    tail: u32,
    /// Unsignalled sends since the last signalled one.
    run: u32,
}

impl<T> SendFlight<T> {
    pub(crate) fn new(depth: u32) -> Self {
        SendFlight::starting_at(depth, 0)
    }

    fn starting_at(depth: u32, seq: u32) -> Self {
        SendFlight {
            ring: Ring::new(depth),
            depth: depth.min(MAX_DEPTH),
            head: seq,
            tail: seq,
            run: 0,
        }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.head.wrapping_sub(self.tail)
    }

    /// The sequence number that the next [`push`](Self::push) gets, if there is room.
    #[inline]
    pub(crate) fn next_seq(&self) -> Option<u32> {
        (self.len() < self.depth).then_some(self.head)
    }

    /// Whether the next send must be signalled: a queue full of unsignalled ones would never move
    /// again.
    #[inline]
    pub(crate) fn must_signal(&self) -> bool {
        self.run.saturating_add(1) >= self.depth
    }

    /// Stores an item under [`next_seq`](Self::next_seq); gives it back when there is no room.
    #[inline]
    pub(crate) fn push(&mut self, item: T, signalled: bool) -> Result<(), T> {
        match self.vacant() {
            Some(vacant) => {
                vacant.fill(item, signalled);
                Ok(())
            }
            None => Err(item),
        }
    }

    /// The place of the next item, if there is room.
    #[inline(always)]
    pub(crate) fn vacant(&mut self) -> Option<VacantSend<'_, T>> {
        let seq = self.next_seq()?;
        let slot = self.ring.slot(seq);
        slot.is_none().then_some(VacantSend {
            slot,
            head: &mut self.head,
            run: &mut self.run,
        })
    }

    /// Takes the newest item back out, as if it had never been pushed: it was not posted after all.
    pub(crate) fn undo_push(&mut self) -> Option<T> {
        if self.len() == 0 {
            return None;
        }
        let newest = self.head.wrapping_sub(1);
        let sent = self.ring.slot(newest).take()?;
        self.head = newest;
        self.run = sent.run;
        Some(sent.item)
    }

    /// The slot of the oldest item, if a completion of `seq` stands for that, and whether it is `seq` itself. The item
    /// is no longer in flight: the caller takes it out.
    #[inline(always)]
    pub(crate) fn retire_towards(
        &mut self,
        seq: u32,
    ) -> Result<(&mut Option<Flying<T>>, bool), NotNext> {
        let oldest = self.tail;
        let before = seq.wrapping_sub(oldest);
        if before >= self.len() {
            return Err(NotNext::NotInFlight);
        }
        if before > 0 {
            let named = self.ring.slot(seq).as_ref();
            if named.is_none_or(|named| before > named.run) {
                return Err(NotNext::Missing);
            }
        }
        self.tail = oldest.wrapping_add(1);
        Ok((self.ring.slot(oldest), before == 0))
    }

    /// The items in flight.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.ring.slots.iter().flatten().map(|flying| &flying.item)
    }

    /// Takes everything out, oldest first, as if nothing had ever been pushed.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        let items = (0..self.len()).map(|back| self.tail.wrapping_add(back));
        let items = items.collect::<Vec<_>>();
        let taken = items
            .into_iter()
            .filter_map(|seq| self.ring.slot(seq).take());
        let taken = taken.map(|sent| sent.item).collect();
        (self.tail, self.run) = (self.head, 0);
        taken
    }
}

/// Where the next send goes.
#[derive(Debug)]
pub(crate) struct VacantSend<'a, T> {
    slot: &'a mut Option<Flying<T>>,
    head: &'a mut u32,
    run: &'a mut u32,
}

impl<T> VacantSend<'_, T> {
    /// The sequence number of that place.
    #[inline(always)]
    pub(crate) fn seq(&self) -> u32 {
        *self.head
    }

    /// Stores an item there.
    #[inline(always)]
    pub(crate) fn fill(self, item: T, signalled: bool) {
        let run = *self.run;
        *self.slot = Some(Flying { item, run });
        *self.head = self.head.wrapping_add(1);
        *self.run = if signalled { 0 } else { run + 1 };
    }
}

/// Where the next receive goes.
#[derive(Debug)]
pub(crate) struct VacantRecv<'a, T> {
    slot: &'a mut Option<Flying<T>>,
    head: &'a mut u32,
    len: &'a mut u32,
}

impl<T> VacantRecv<'_, T> {
    /// The sequence number of that place.
    #[inline(always)]
    pub(crate) fn seq(&self) -> u32 {
        *self.head
    }

    /// Stores an item there.
    #[inline(always)]
    pub(crate) fn fill(self, item: T) {
        *self.slot = Some(Flying { item, run: 0 });
        *self.head = self.head.wrapping_add(1);
        *self.len += 1;
    }
}

/// Receives in flight.
///
/// A slot is reused only when empty, so an occupied slot belongs to exactly one of the last `size`
/// sequence numbers.
#[derive(Debug)]
pub(crate) struct RecvFlight<T> {
    ring: Ring<T>,
    depth: u32,
    head: u32,
    len: u32,
}

impl<T> RecvFlight<T> {
    pub(crate) fn new(depth: u32) -> Self {
        RecvFlight::starting_at(depth, 0)
    }

    fn starting_at(depth: u32, seq: u32) -> Self {
        RecvFlight {
            ring: Ring::new(depth),
            depth: depth.min(MAX_DEPTH),
            head: seq,
            len: 0,
        }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// The sequence number that the next [`push`](Self::push) gets, if there is room.
    #[inline]
    pub(crate) fn next_seq(&mut self) -> Option<u32> {
        self.vacant().map(|vacant| vacant.seq())
    }

    /// Stores an item under [`next_seq`](Self::next_seq); gives it back when there is no room.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        match self.vacant() {
            Some(vacant) => {
                vacant.fill(item);
                Ok(())
            }
            None => Err(item),
        }
    }

    /// The place of the next item, if there is room. There may be none although the queue is not full:
    /// while the slot's last item has not come back.
    #[inline(always)]
    pub(crate) fn vacant(&mut self) -> Option<VacantRecv<'_, T>> {
        let slot = self.ring.slot(self.head);
        (self.len < self.depth && slot.is_none()).then_some(VacantRecv {
            slot,
            head: &mut self.head,
            len: &mut self.len,
        })
    }

    /// Takes the newest item back out: it was not posted after all.
    pub(crate) fn undo_push(&mut self) -> Option<T> {
        let newest = self.head.wrapping_sub(1);
        let flying = self.ring.slot(newest).take()?;
        self.head = newest;
        self.len -= 1;
        Some(flying.item)
    }

    /// The slot of the item that a completion of `seq` stands for, and no other; unless `fits` says that the completion
    /// cannot be that item's. It is no longer in flight: the caller takes it out.
    #[inline(always)]
    pub(crate) fn retire(
        &mut self,
        seq: u32,
        fits: impl FnOnce(&mut T) -> bool,
    ) -> Result<&mut Option<Flying<T>>, NotInFlight> {
        #[cfg(test)]
        if seeded(Defect::RetireReceivesByPrefix) {
            let oldest = (1..=self.ring.mask + 1)
                .rev()
                .map(|back| self.head.wrapping_sub(back));
            for earlier in oldest
                .take_while(|&earlier| earlier != seq)
                .collect::<Vec<_>>()
            {
                self.len -= u32::from(self.ring.slot(earlier).take().is_some());
            }
        }
        #[cfg(test)]
        let seq = match seeded(Defect::TakeRepeatedCompletions) && self.ring.slot(seq).is_none() {
            true => self.oldest().unwrap_or(seq),
            false => seq,
        };
        let age = self.head.wrapping_sub(seq).wrapping_sub(1);
        if age > self.ring.mask {
            return Err(NotInFlight);
        }
        let slot = self.ring.slot(seq);
        if !slot.as_mut().is_some_and(|flying| fits(&mut flying.item)) {
            return Err(NotInFlight);
        }
        self.len -= 1;
        Ok(slot)
    }

    /// The oldest that is in flight.
    #[cfg(test)]
    fn oldest(&mut self) -> Option<u32> {
        let mut back = (1..=self.ring.mask + 1).rev();
        let seq = back.find(|&back| self.ring.slot(self.head.wrapping_sub(back)).is_some())?;
        Some(self.head.wrapping_sub(seq))
    }

    /// The items in flight.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.ring.slots.iter().flatten().map(|flying| &flying.item)
    }

    /// Takes everything out, oldest first, as if nothing had ever been pushed.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        let oldest = self.head.wrapping_sub(self.ring.mask).wrapping_sub(1);
        let seqs = (0..=self.ring.mask).map(|ahead| oldest.wrapping_add(ahead));
        let taken = seqs.filter_map(|seq| self.ring.slot(seq).take());
        let taken = taken.map(|flying| flying.item).collect();
        self.len = 0;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    impl<T> SendFlight<T> {
        fn take_towards(&mut self, seq: u32) -> Result<(T, bool), NotNext> {
            let (slot, own) = self.retire_towards(seq)?;
            Ok((slot.take().unwrap().item, own))
        }
    }

    impl<T> RecvFlight<T> {
        fn take(&mut self, seq: u32, fits: impl FnOnce(&mut T) -> bool) -> Result<T, NotInFlight> {
            Ok(self.retire(seq, fits)?.take().unwrap().item)
        }
    }

    /// Posts, undoes and completes at random, next to a map that does it the slow way.
    #[derive(Clone, Debug)]
    enum Step {
        Push(bool),
        Undo,
        Complete(u32),
        Clear,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => any::<bool>().prop_map(Step::Push),
            1 => Just(Step::Undo),
            // Mostly near the window, sometimes anywhere.
            4 => (0..40u32).prop_map(Step::Complete),
            1 => any::<u32>().prop_map(Step::Complete),
            1 => Just(Step::Clear),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn sends_come_back_once_and_in_order(depth in 1..20u32, start: u32, steps in steps()) {
            let mut flight = SendFlight::starting_at(depth, start);
            let mut model: BTreeMap<u32, (u32, bool)> = BTreeMap::new();
            let (mut posted, mut item) = (0u32, 0u32);
            for step in steps {
                match step {
                    Step::Push(signalled) => {
                        let room = model.len() < depth as usize;
                        let seq = flight.next_seq();
                        let signalled = signalled || flight.must_signal();
                        prop_assert_eq!(seq.is_some(), room);
                        prop_assert_eq!(flight.push(item, signalled).is_ok(), room);
                        if room {
                            prop_assert_eq!(seq, Some(start.wrapping_add(posted)));
                            model.insert(posted, (item, signalled));
                            posted += 1;
                            item += 1;
                        }
                    }
                    Step::Undo => {
                        let newest = model.pop_last();
                        prop_assert_eq!(flight.undo_push(), newest.map(|(_, (item, _))| item));
                        posted -= u32::from(newest.is_some());
                    }
                    Step::Clear => {
                        let all: Vec<_> = std::mem::take(&mut model).into_values().map(|(item, _)| item).collect();
                        prop_assert_eq!(flight.clear(), all);
                    }
                    Step::Complete(offset) => {
                        let seq = flight.tail.wrapping_add(offset);
                        let in_flight = (offset as usize) < model.len();
                        let missing = model.values().take(offset as usize).any(|&(_, signalled)| signalled);
                        if in_flight && missing {
                            prop_assert_eq!(flight.take_towards(seq), Err(NotNext::Missing));
                            continue;
                        }
                        if in_flight {
                            for n in 0..=offset {
                                let (_, (oldest, _)) = model.pop_first().unwrap();
                                prop_assert_eq!(flight.take_towards(seq), Ok((oldest, n == offset)));
                            }
                        }
                        prop_assert_eq!(flight.take_towards(seq), Err(NotNext::NotInFlight));
                    }
                }
                prop_assert_eq!(flight.len() as usize, model.len());
                prop_assert_eq!(flight.iter().count(), model.len());
                let full = model.len() == depth as usize;
                prop_assert!(
                    !full || model.values().any(|&(_, signalled)| signalled),
                    "a full queue with no completion to come"
                );
            }
        }

        #[test]
        fn a_receive_completion_retires_its_own_slot_and_no_other(
            depth in 1..20u32, start: u32, steps in steps()
        ) {
            let mut flight = RecvFlight::starting_at(depth, start);
            let mut model: BTreeMap<u32, u32> = BTreeMap::new();
            let mut item = 0u32;
            for step in steps {
                match step {
                    Step::Push(_) => {
                        let seq = flight.next_seq();
                        match flight.push(item) {
                            Ok(()) => prop_assert!(model.insert(seq.unwrap(), item).is_none()),
                            Err(back) => {
                                prop_assert_eq!(back, item);
                                prop_assert_eq!(seq, None);
                                let size = depth.next_power_of_two();
                                let oldest_blocks = model.contains_key(&flight.head.wrapping_sub(size));
                                prop_assert!(model.len() == depth as usize || oldest_blocks);
                            }
                        }
                        item += 1;
                    }
                    Step::Undo => {
                        let newest = flight.head.wrapping_sub(1);
                        prop_assert_eq!(flight.undo_push(), model.remove(&newest));
                    }
                    Step::Clear => {
                        let mut all: Vec<_> = std::mem::take(&mut model).into_values().collect();
                        let mut cleared = flight.clear();
                        all.sort_unstable();
                        // In the order they were pushed, which the numbers are.
                        prop_assert!(cleared.is_sorted());
                        cleared.sort_unstable();
                        prop_assert_eq!(cleared, all);
                    }
                    Step::Complete(back) => {
                        let seq = flight.head.wrapping_sub(back);
                        prop_assert_eq!(flight.take(seq, |_| false), Err(NotInFlight));
                        prop_assert_eq!(flight.take(seq, |_| true), model.remove(&seq).ok_or(NotInFlight));
                        prop_assert_eq!(flight.take(seq, |_| true), Err(NotInFlight));
                    }
                }
                prop_assert_eq!(flight.len() as usize, model.len());
            }
        }
    }

    #[test]
    fn a_queue_of_depth_zero_takes_nothing() {
        assert_eq!(SendFlight::new(0).push(1, true), Err(1));
        assert_eq!(RecvFlight::new(0).push(1), Err(1));
    }

    #[test]
    fn the_same_completion_a_whole_ring_later_is_not_taken_for_the_new_occupant() {
        let mut flight = RecvFlight::new(4);
        for round in 0..3 {
            for seq in 0..4u32 {
                flight.push(round * 4 + seq).unwrap();
            }
            if round > 0 {
                assert_eq!(flight.take((round - 1) * 4, |_| true), Err(NotInFlight));
            }
            for seq in 0..4 {
                assert_eq!(flight.take(round * 4 + seq, |_| true), Ok(round * 4 + seq));
            }
        }
    }
}
