//! What a queue pair has posted and not got back.
//!
//! One fixed ring per queue, filled in posting order; the slot of sequence number `seq` is `seq mod
//! size`. Sends complete in order, and one completion may stand for all before it (selective
//! signalling). Of receives, each completion stands for itself only.

#[cfg(test)]
use super::defect::{Defect, seeded};

/// The deepest queue: half of the sequence space would be the limit of the window arithmetic.
pub(crate) const MAX_DEPTH: u32 = 1 << 24;

/// A completion that stands for nothing in flight: repeated, or never posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotInFlight;

/// The slots of a queue.
#[derive(Debug)]
struct Ring<T> {
    slots: Box<[Option<T>]>,
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

    #[inline]
    fn slot(&mut self, seq: u32) -> &mut Option<T> {
        // In range: the mask is one less than the number of slots.
        &mut self.slots[(seq & self.mask) as usize]
    }
}

/// Sends in flight: `tail..head`, in wrapping sequence numbers.
#[derive(Debug)]
pub(crate) struct SendFlight<T> {
    ring: Ring<T>,
    depth: u32,
    head: u32,
    tail: u32,
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

    /// Stores an item under [`next_seq`](Self::next_seq); gives it back when there is no room.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        if self.next_seq().is_none() {
            return Err(item);
        }
        *self.ring.slot(self.head) = Some(item);
        self.head = self.head.wrapping_add(1);
        Ok(())
    }

    /// Takes the newest item back out: it was not posted after all.
    pub(crate) fn undo_push(&mut self) -> Option<T> {
        if self.len() == 0 {
            return None;
        }
        self.head = self.head.wrapping_sub(1);
        self.ring.slot(self.head).take()
    }

    /// Takes the oldest item out, of those that a completion of `seq` stands for, and says whether
    /// it is `seq` itself.
    #[inline]
    pub(crate) fn retire_towards(&mut self, seq: u32) -> Result<(T, bool), NotInFlight> {
        if seq.wrapping_sub(self.tail) >= self.len() {
            return Err(NotInFlight);
        }
        let oldest = self.tail;
        let item = self.ring.slot(oldest).take().ok_or(NotInFlight)?;
        self.tail = oldest.wrapping_add(1);
        Ok((item, oldest == seq))
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
        let free = self.len < self.depth && self.ring.slot(self.head).is_none();
        free.then_some(self.head)
    }

    /// Stores an item under [`next_seq`](Self::next_seq); gives it back when there is no room.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        if self.next_seq().is_none() {
            return Err(item);
        }
        *self.ring.slot(self.head) = Some(item);
        self.head = self.head.wrapping_add(1);
        self.len += 1;
        Ok(())
    }

    /// Takes the newest item back out: it was not posted after all.
    pub(crate) fn undo_push(&mut self) -> Option<T> {
        let newest = self.head.wrapping_sub(1);
        let item = self.ring.slot(newest).take()?;
        self.head = newest;
        self.len -= 1;
        Some(item)
    }

    /// Takes out the item that a completion of `seq` stands for, and no other.
    #[inline]
    pub(crate) fn retire(&mut self, seq: u32) -> Result<T, NotInFlight> {
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
        let age = self.head.wrapping_sub(seq).wrapping_sub(1);
        if age > self.ring.mask {
            return Err(NotInFlight);
        }
        let item = self.ring.slot(seq).take().ok_or(NotInFlight)?;
        self.len -= 1;
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Posts, undoes and completes at random, next to a map that does it the slow way.
    #[derive(Clone, Debug)]
    enum Step {
        Push,
        Undo,
        Complete(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Push),
            1 => Just(Step::Undo),
            // Mostly near the window, sometimes anywhere.
            4 => (0..40u32).prop_map(Step::Complete),
            1 => any::<u32>().prop_map(Step::Complete),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn sends_come_back_once_and_in_order(depth in 1..20u32, start: u32, steps in steps()) {
            let mut flight = SendFlight::starting_at(depth, start);
            let mut model: BTreeMap<u32, u32> = BTreeMap::new();
            let (mut posted, mut item) = (0u32, 0u32);
            for step in steps {
                match step {
                    Step::Push => {
                        let room = model.len() < depth as usize;
                        let seq = flight.next_seq();
                        prop_assert_eq!(seq.is_some(), room);
                        prop_assert_eq!(flight.push(item).is_ok(), room);
                        if room {
                            prop_assert_eq!(seq, Some(start.wrapping_add(posted)));
                            model.insert(posted, item);
                            posted += 1;
                            item += 1;
                        }
                    }
                    Step::Undo => {
                        let newest = model.pop_last();
                        prop_assert_eq!(flight.undo_push(), newest.map(|(_, item)| item));
                        posted -= u32::from(newest.is_some());
                    }
                    Step::Complete(offset) => {
                        let seq = flight.tail.wrapping_add(offset);
                        let valid = (offset as usize) < model.len();
                        if valid {
                            for n in 0..=offset {
                                let (_, oldest) = model.pop_first().unwrap();
                                prop_assert_eq!(flight.retire_towards(seq), Ok((oldest, n == offset)));
                            }
                        }
                        prop_assert_eq!(flight.retire_towards(seq), Err(NotInFlight));
                    }
                }
                prop_assert_eq!(flight.len() as usize, model.len());
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
                    Step::Push => {
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
                    Step::Complete(back) => {
                        let seq = flight.head.wrapping_sub(back);
                        prop_assert_eq!(flight.retire(seq), model.remove(&seq).ok_or(NotInFlight));
                        prop_assert_eq!(flight.retire(seq), Err(NotInFlight));
                    }
                }
                prop_assert_eq!(flight.len() as usize, model.len());
            }
        }
    }

    #[test]
    fn a_queue_of_depth_zero_takes_nothing() {
        assert_eq!(SendFlight::new(0).push(1), Err(1));
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
                assert_eq!(flight.retire((round - 1) * 4), Err(NotInFlight));
            }
            for seq in 0..4 {
                assert_eq!(flight.retire(round * 4 + seq), Ok(round * 4 + seq));
            }
        }
    }
}
