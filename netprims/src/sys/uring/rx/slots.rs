use std::ptr::NonNull;

use super::area::{Area, Taken};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::{Mapping, Shape};

/// What the slots of an area are used for, where the kernel is told their addresses: every slot is free, or lent to the
/// kernel, or read, or both lent and read (what the kernel has filled of it is read, and it fills the rest).
///
/// Leaking is what happens if nobody says otherwise: dropping this while a slot is lent keeps the area mapped for
/// good, counted.
///
/// # Invariants
///
/// A slot in `free` is neither lent nor read. The kernel may write a slot only while it is lent. `start` of a slot's use is
/// where it starts in the area, and `slot_len` the length of each.
#[derive(Debug)]
pub(crate) struct Slots {
    area: Area,
    slot_len: u32,
    free: Vec<u32>,
    uses: Box<[Use]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Use {
    /// So that nobody has to multiply.
    start: usize,
    /// Claims that have not come back.
    pieces: u32,
    is_lent: bool,
}

impl Slots {
    /// Makes an area of a mapping; all its slots are free.
    pub(crate) fn new(mapping: Mapping, shape: Shape) -> Self {
        let area = Area::new(mapping, shape);
        let slots = area.slots();
        let use_of = |slot| Use {
            start: area.start(slot),
            ..Use::default()
        };
        Self {
            free: (0..slots).rev().collect(),
            uses: (0..slots).map(use_of).collect(),
            slot_len: area.slot_len(),
            area,
        }
    }

    pub(crate) fn area(&self) -> &Area {
        &self.area
    }

    /// Slots that can be lent.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// Takes a free slot for the kernel to write: its number, and where it starts. Nobody reads it, and it stays mapped
    /// until [`release`](Slots::release).
    #[inline]
    pub(crate) fn lend(&mut self) -> Option<(u32, NonNull<u8>)> {
        let slot = self.free.pop()?;
        let found = self.use_of(slot)?;
        found.is_lent = true;
        let start = found.start;
        Some((slot, self.area.at(start)))
    }

    /// Ends a claim and, if its slot is free then, takes that for the kernel to write: as
    /// [`give_back`](Slots::give_back) and [`lend`](Slots::lend), without a detour over those that are free.
    #[inline]
    pub(super) fn lend_again(&mut self, taken: Taken) -> Option<(u32, NonNull<u8>)> {
        let slot = self.area.give_back(taken)?;
        let found = self.use_of(slot)?;
        #[cfg(test)]
        if seeded(Defect::LendWhatIsRead) {
            return None;
        }
        found.pieces = found.pieces.checked_sub(1)?;
        if found.pieces != 0 || found.is_lent {
            return None;
        }
        found.is_lent = true;
        let start = found.start;
        Some((slot, self.area.at(start)))
    }

    /// Claims bytes that the kernel wrote into a lent slot. `None`, and nothing changed, if it is not lent or they do not
    /// lie in it.
    ///
    /// # Safety
    ///
    /// The kernel does not write these bytes any more, unless the slot is released, becomes free and is lent again.
    #[inline]
    pub(in crate::sys::uring) unsafe fn take(
        &mut self,
        slot: u32,
        offset: u32,
        len: u32,
    ) -> Option<Taken> {
        let found = self.use_of(slot)?;
        let pieces = found.pieces.checked_add(1)?;
        if !found.is_lent {
            return None;
        }
        // SAFETY: the kernel does not write them while the slot is lent this time (the caller's promise), and the slot
        // is lent again only after it was free, which it is not while claims to it are counted in `pieces`. Nobody
        // but the kernel writes an area.
        let taken = unsafe { self.area.claim(slot, offset, len) }?;
        self.use_of(slot)?.pieces = pieces;
        Some(taken)
    }

    /// Claims the first bytes of a lent slot of which the kernel has let go. `None`, and nothing changed, if it is not lent or
    /// has fewer.
    ///
    /// # Safety
    ///
    /// The kernel wrote these bytes, and writes no byte of the slot any more.
    #[inline]
    pub(in crate::sys::uring) unsafe fn take_whole(
        &mut self,
        slot: u32,
        len: u32,
    ) -> Option<Taken> {
        let Self {
            area,
            uses,
            slot_len,
            ..
        } = self;
        let found = uses.get_mut(usize::try_from(slot).ok()?)?;
        let pieces = found.pieces.checked_add(1)?;
        if !found.is_lent || len > *slot_len {
            return None;
        }
        // SAFETY: they lie in the slot, which starts there and is that long (invariant). The kernel does not write them any
        // more (the caller's promise), and the slot is lent again only after it was free, which it is not while claims to
        // it are counted in `pieces`. Nobody but the kernel writes an area.
        let taken = unsafe { area.claim_at(found.start, slot, len) };
        found.is_lent = false;
        found.pieces = pieces;
        #[cfg(test)]
        if seeded(Defect::LendWhatIsRead) {
            self.free.push(slot);
        }
        Some(taken)
    }

    /// Whether a slot is the kernel's alone.
    pub(super) fn is_unread(&mut self, slot: u32) -> bool {
        let found = self.use_of(slot);
        found.is_some_and(|found| found.is_lent && found.pieces == 0)
    }

    /// The kernel has let go of a lent slot.
    ///
    /// # Safety
    ///
    /// It has: it writes no byte of it any more.
    #[inline]
    pub(in crate::sys::uring) unsafe fn release(&mut self, slot: u32) {
        let Some(found) = self.use_of(slot).filter(|found| found.is_lent) else {
            return;
        };
        found.is_lent = false;
        let is_free = found.pieces == 0;
        #[cfg(test)]
        let is_free = is_free || seeded(Defect::LendWhatIsRead);
        if is_free {
            self.free.push(slot);
        }
    }

    /// The kernel has let go of all slots.
    ///
    /// # Safety
    ///
    /// As for [`release`](Slots::release), of each.
    pub(in crate::sys::uring) unsafe fn release_all(&mut self) {
        for slot in 0..self.area.slots() {
            // SAFETY: the caller's promise is for every slot.
            unsafe { self.release(slot) };
        }
    }

    /// Ends a claim.
    #[inline]
    pub(crate) fn give_back(&mut self, taken: Taken) {
        if let Some(slot) = self.area.give_back(taken) {
            self.came_back(slot, 1);
        }
    }

    /// Takes what was dropped, on whichever thread.
    pub(crate) fn collect(&mut self) {
        let Self {
            area, free, uses, ..
        } = self;
        area.collect(|slot, pieces| came_back(uses, free, slot, pieces));
    }

    #[inline]
    fn came_back(&mut self, slot: u32, pieces: u32) {
        came_back(&mut self.uses, &mut self.free, slot, pieces);
    }

    #[inline]
    fn use_of(&mut self, slot: u32) -> Option<&mut Use> {
        self.uses.get_mut(usize::try_from(slot).ok()?)
    }
}

#[inline]
fn came_back(uses: &mut [Use], free: &mut Vec<u32>, slot: u32, pieces: u32) {
    let found = usize::try_from(slot)
        .ok()
        .and_then(|slot| uses.get_mut(slot));
    let Some(found) = found.filter(|found| found.pieces != 0 && pieces != 0) else {
        return;
    };
    found.pieces = found.pieces.saturating_sub(pieces);
    #[cfg(test)]
    if seeded(Defect::LendWhatIsRead) {
        return;
    }
    if found.pieces == 0 && !found.is_lent {
        // Has room for all slots, and none is in it twice.
        free.push(slot);
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if self.uses.iter().any(|slot| slot.is_lent) {
            self.area.leak();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::leaked_bytes;
    use proptest::prelude::*;

    fn slots(count: u32) -> Slots {
        let shape = Shape::new(count, 4096).unwrap();
        Slots::new(Mapping::anonymous(shape.bytes()).unwrap(), shape)
    }

    fn take(slots: &mut Slots, slot: u32, offset: u32, len: u32) -> Option<Taken> {
        // SAFETY: there is no kernel in these tests.
        unsafe { slots.take(slot, offset, len) }
    }

    fn release(slots: &mut Slots, slot: u32) {
        // SAFETY: there is no kernel in these tests.
        unsafe { slots.release(slot) };
    }

    #[test]
    fn what_is_not_lent_cannot_be_taken() {
        let mut slots = slots(2);
        assert!(take(&mut slots, 0, 0, 1).is_none());
        assert!(take(&mut slots, 9, 0, 1).is_none());
        let (slot, _) = slots.lend().unwrap();
        assert!(take(&mut slots, slot, 0, 4097).is_none());
        release(&mut slots, slot);
        assert_eq!(slots.free(), 2, "what was refused counts for nothing");
    }

    #[test]
    fn a_slot_is_free_when_the_kernel_and_every_reader_let_go() {
        let mut slots = slots(1);
        let (slot, _) = slots.lend().unwrap();
        let first = take(&mut slots, slot, 0, 10).unwrap();
        let second = take(&mut slots, slot, 10, 10).unwrap();
        slots.give_back(first);
        assert_eq!(slots.free(), 0);
        release(&mut slots, slot);
        assert!(slots.lend().is_none());
        let kept = slots.area().detach(second).unwrap();
        slots.collect();
        assert_eq!(slots.free(), 0);
        std::thread::spawn(move || drop(kept)).join().unwrap();
        assert_eq!(slots.free(), 0, "not before it is collected");
        slots.collect();
        assert_eq!(slots.free(), 1);
    }

    #[test]
    fn a_forgotten_claim_loses_its_slot_and_no_other() {
        let mut slots = slots(2);
        for forgotten in [true, false] {
            let (slot, _) = slots.lend().unwrap();
            let taken = take(&mut slots, slot, 0, 1).unwrap();
            release(&mut slots, slot);
            // It is no guard: dropping one is forgetting it.
            if !forgotten {
                slots.give_back(taken);
            }
        }
        assert_eq!(slots.free(), 1);
    }

    #[test]
    fn dropping_it_leaks_what_is_lent() {
        let mut slots = slots(2);
        let (slot, _) = slots.lend().unwrap();
        let before = leaked_bytes();
        drop(slots);
        // Other tests of this process leak too, so this is a lower bound.
        assert!(leaked_bytes() - before >= 8192);
        assert_eq!(slot, 0);
    }

    #[test]
    fn dropping_it_leaks_nothing_that_came_back() {
        let mut slots = slots(2);
        let (slot, _) = slots.lend().unwrap();
        let kept = take(&mut slots, slot, 0, 1).unwrap();
        let kept = slots.area().detach(kept).unwrap();
        // SAFETY: there is no kernel in these tests.
        unsafe { slots.release_all() };
        let area = slots.area().clone();
        drop(slots);
        assert!(!area.is_leaked());
        assert_eq!(kept.bytes(), [0]);
    }

    proptest! {
        /// Whatever is done in whatever order, a slot that is lent anew is read by nobody.
        #[test]
        fn nobody_reads_what_is_lent_anew(ops in prop::collection::vec((0_u8..5, any::<u8>()), 0..200)) {
            let mut slots = slots(4);
            let (mut taken, mut kept, mut lent) = (Vec::new(), Vec::new(), Vec::new());
            for (op, which) in ops {
                let pick = |len: usize| usize::from(which) % len.max(1);
                match op {
                    0 => if let Some((slot, _)) = slots.lend() {
                        prop_assert!(taken.iter().all(|taken: &Taken| taken.slot() != slot));
                        prop_assert!(kept.iter().all(|(kept, _)| *kept != slot));
                        prop_assert!(!lent.contains(&slot));
                        lent.push(slot);
                    },
                    1 if !lent.is_empty() => {
                        let slot = lent[pick(lent.len())];
                        taken.push(take(&mut slots, slot, u32::from(which), 1).unwrap());
                    }
                    2 if !lent.is_empty() => {
                        let slot = lent.swap_remove(pick(lent.len()));
                        release(&mut slots, slot);
                    }
                    3 if !taken.is_empty() => {
                        let one = taken.swap_remove(pick(taken.len()));
                        if which % 2 == 0 {
                            slots.give_back(one);
                        } else {
                            kept.push((one.slot(), slots.area().detach(one).unwrap()));
                        }
                    }
                    4 if !kept.is_empty() => {
                        kept.swap_remove(pick(kept.len()));
                        slots.collect();
                    }
                    _ => {}
                }
            }
            taken.drain(..).for_each(|taken| slots.give_back(taken));
            kept.clear();
            slots.collect();
            for slot in lent {
                release(&mut slots, slot);
            }
            prop_assert_eq!(slots.free(), 4, "and none is lost");
        }
    }
}
