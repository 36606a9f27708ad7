use std::fmt;
use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::bell::Bell;
use super::returns::Returns;
use crate::sys::memory::{Mapping, Shape, count_leaked};

/// Memory that the kernel receives into: one mapping, divided into equal slots. Cloning shares it; it is unmapped when
/// the last clone and the last [`Piece`] are gone.
///
/// What is in it is read through claims alone: a [`Taken`], which the ring holds and lends to its handler, or a
/// [`Piece`], which somebody keeps. Who makes a claim promises that its bytes stay as they are until it has come back
/// ([`claim`](Area::claim)); everything else here is safe because of that.
#[derive(Clone, Debug)]
pub(crate) struct Area {
    shared: Arc<Shared>,
}

/// # Invariants
///
/// `mapping.len() >= shape.bytes()`.
#[derive(Debug)]
struct Shared {
    id: u64,
    mapping: Mapping,
    shape: Shape,
    returns: Returns,
    /// The ring's.
    bell: OnceLock<Arc<Bell>>,
    /// Pieces that are out.
    outstanding: AtomicU32,
    leaked: AtomicBool,
}

/// A claim to bytes of one slot, held by the ring: no atomic is touched when it is made or given back.
///
/// Whoever forgets it loses the slot: it counts as read for ever.
///
/// # Invariants
///
/// Nobody writes `len` bytes from `place` in the mapping of the area named `area` while this exists, nor the `head` bytes
/// before them. They lie in `slot`.
#[derive(Debug)]
#[must_use = "a claim that is not given back loses the slot"]
pub(crate) struct Taken {
    area: u64,
    place: usize,
    slot: u32,
    len: u32,
    /// Bytes that say what the others are.
    head: u16,
    /// There was more, which is lost.
    is_cut: bool,
}

/// A claim to bytes of one slot that may go to any thread and outlive the ring. Dropping it tells the ring, without a
/// lock.
///
/// # Invariants
///
/// Nobody writes the bytes of `taken`, which is one of `shared`, while this exists.
pub(crate) struct Piece {
    shared: Arc<Shared>,
    taken: Taken,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Area {
    /// Divides a mapping, into fewer slots than the shape has if it is too small for all.
    pub(crate) fn new(mapping: Mapping, shape: Shape) -> Self {
        let shape = shape.within(mapping.len());
        let shared = Shared {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            mapping,
            shape,
            returns: Returns::new(shape.slots()),
            bell: OnceLock::new(),
            outstanding: AtomicU32::new(0),
            leaked: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Tells this area from every other in the process.
    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.shared.id
    }

    #[inline]
    pub(crate) fn slots(&self) -> u32 {
        self.shared.shape.slots()
    }

    #[inline]
    pub(crate) fn slot_len(&self) -> u32 {
        // A shape's length comes from a u32.
        u32::try_from(self.shared.shape.slot_len()).unwrap_or(u32::MAX)
    }

    /// Where a slot starts; `None` if there is no such slot.
    #[inline]
    pub(crate) fn address(&self, slot: u32) -> Option<NonNull<u8>> {
        Some(self.shared.at(self.shared.place(slot, 0)?))
    }

    /// Where in the area a slot starts; 0 if there is no such slot.
    pub(super) fn start(&self, slot: u32) -> usize {
        self.shared.place(slot, 0).unwrap_or(0)
    }

    /// The byte at a place of the area; the first one if it has no such place.
    #[inline]
    pub(super) fn at(&self, place: usize) -> NonNull<u8> {
        self.shared.at(place)
    }

    /// Claims bytes that were received, at a place of the area.
    ///
    /// # Safety
    ///
    /// They lie in that slot. Nobody writes them any more until as many pieces of the slot came back as were claimed, as
    /// for [`claim`](Area::claim).
    #[inline]
    pub(super) unsafe fn claim_at(&self, place: usize, slot: u32, len: u32) -> Taken {
        Taken {
            area: self.id(),
            place,
            slot,
            len,
            head: 0,
            is_cut: false,
        }
    }

    /// Claims bytes that were received. `None` if they do not lie in a slot.
    ///
    /// # Safety
    ///
    /// Nobody writes these bytes any more until as many pieces of the slot came back as were claimed: by
    /// [`give_back`](Area::give_back), or told by [`collect`](Area::collect).
    #[inline]
    pub(in crate::sys::uring) unsafe fn claim(
        &self,
        slot: u32,
        offset: u32,
        len: u32,
    ) -> Option<Taken> {
        let end = offset.checked_add(len)?;
        let place = self.shared.place(slot, offset)?;
        if end > self.slot_len() {
            return None;
        }
        // SAFETY: they lie in the slot, as was seen; the rest is the caller's promise.
        Some(unsafe { self.claim_at(place, slot, len) })
    }

    /// What a claim is to; nothing if it is another area's.
    #[inline]
    pub(crate) fn bytes(&self, taken: &Taken) -> &[u8] {
        if taken.area != self.id() {
            return &[];
        }
        self.shared.bytes(taken)
    }

    /// What a claim's head says; nothing if it is another area's.
    pub(crate) fn head(&self, taken: &Taken) -> &[u8] {
        if taken.area != self.id() {
            return &[];
        }
        self.shared.head(taken)
    }

    /// Ends a claim, and names the slot; `None` if it is another area's, whose slot is lost.
    #[inline]
    pub(in crate::sys::uring) fn give_back(&self, taken: Taken) -> Option<u32> {
        (taken.area == self.id()).then_some(taken.slot)
    }

    /// Lets a claim outlive the ring; `None` if it is another area's, whose slot is lost.
    pub(crate) fn detach(&self, taken: Taken) -> Option<Piece> {
        if taken.area != self.id() {
            return None;
        }
        self.shared.outstanding.fetch_add(1, Ordering::Relaxed);
        Some(Piece {
            shared: Arc::clone(&self.shared),
            taken,
        })
    }

    /// Tells each slot of which pieces were dropped since the last time, and how many.
    pub(in crate::sys::uring) fn collect(&self, each: impl FnMut(u32, u32)) {
        self.shared.returns.collect(each);
    }

    /// Has pieces that are dropped look at a bell. The first stays.
    pub(in crate::sys::uring) fn hang(&self, bell: &Arc<Bell>) {
        let _ = self.shared.bell.set(Arc::clone(bell));
    }

    /// Whether pieces were dropped since the last time [they were told](Area::collect). Those that are dropped after this
    /// see what the bell was asked for before.
    pub(in crate::sys::uring) fn has_returns(&self) -> bool {
        !self.shared.returns.is_empty()
    }

    /// Pieces that are out: kept by somebody, or forgotten.
    pub(crate) fn outstanding(&self) -> u32 {
        // Acquire: who sees that none is out may let the kernel write what was read until then.
        self.shared.outstanding.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(in crate::sys::uring) fn is_leaked(&self) -> bool {
        self.shared.leaked.load(Ordering::Relaxed)
    }

    /// Keeps the memory mapped for good, counted, because the kernel may still write it.
    pub(in crate::sys::uring) fn leak(&self) {
        if !self.shared.leaked.swap(true, Ordering::Relaxed) {
            count_leaked(self.shared.mapping.len());
            mem::forget(Arc::clone(&self.shared));
        }
    }
}

impl Shared {
    #[inline]
    fn bytes(&self, taken: &Taken) -> &[u8] {
        let len = usize::try_from(taken.len).unwrap_or(0);
        let start = self.at(taken.place);
        // SAFETY: the bytes lie in a slot of this area (the callers compare the area, and the rest is an invariant of
        // `Taken`), so they are mapped and initialised: mapped memory is zeroed or written. `self` owns the mapping, which
        // therefore stays for the borrow. Nobody writes them while the claim exists (its invariant), and it is
        // borrowed for as long.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), len) }
    }

    fn head(&self, taken: &Taken) -> &[u8] {
        let Some(place) = taken.place.checked_sub(taken.head.into()) else {
            return &[];
        };
        let start = self.at(place);
        // SAFETY: as for the claim's bytes: `head` of them, before those, are a part of the claim (an invariant of `Taken`).
        unsafe { std::slice::from_raw_parts(start.as_ptr(), taken.head.into()) }
    }

    /// Where in the mapping a byte of a slot is; `None` if there is no such slot.
    #[inline]
    fn place(&self, slot: u32, offset: u32) -> Option<usize> {
        if slot >= self.shape.slots() {
            return None;
        }
        let start = usize::try_from(slot)
            .ok()?
            .checked_mul(self.shape.stride())?;
        start.checked_add(usize::try_from(offset).ok()?)
    }

    /// The byte at a place of the mapping; the first one if it has no such place.
    #[inline]
    fn at(&self, place: usize) -> NonNull<u8> {
        let place = if place <= self.mapping.len() {
            place
        } else {
            0
        };
        // SAFETY: the place is inside the one mapping that `base` starts, or right behind it, and is below isize::MAX
        // because mmap gives no larger mapping.
        unsafe { self.mapping.base().add(place) }
    }
}

impl Taken {
    /// Which area's it is.
    #[inline]
    pub(crate) fn area(&self) -> u64 {
        self.area
    }

    #[cfg(test)]
    pub(in crate::sys::uring) fn slot(&self) -> u32 {
        self.slot
    }

    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The same claim, the first bytes of which are its head. If it has fewer, they are none.
    pub(super) fn behind(mut self, head: u16) -> Self {
        if let (0, Some(len)) = (self.head, self.len.checked_sub(head.into())) {
            self.place = self.place.saturating_add(head.into());
            self.len = len;
            self.head = head;
        }
        self
    }

    /// The same claim, to so many bytes at most.
    pub(super) fn at_most(mut self, most: u32) -> Self {
        self.is_cut |= self.len > most;
        self.len = self.len.min(most);
        self
    }

    /// The same claim, if there was more, which is lost.
    pub(in crate::sys::uring) fn cut_if(mut self, is_cut: bool) -> Self {
        self.is_cut |= is_cut;
        self
    }
}

impl Piece {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.shared.bytes(&self.taken)
    }

    pub(crate) fn head(&self) -> &[u8] {
        self.shared.head(&self.taken)
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.taken.is_cut
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // Counted before the slot can be received into again, or the count of a pool in use could pass through zero.
        self.shared.outstanding.fetch_sub(1, Ordering::Release);
        self.shared.returns.push(self.taken.slot);
        if let Some(bell) = self.shared.bell.get() {
            bell.came_back();
        }
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece")
            .field("slot", &self.taken.slot)
            .field("place", &self.taken.place)
            .field("len", &self.taken.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn area(slots: u32, slot_len: u32) -> Area {
        let shape = Shape::new(slots, slot_len).unwrap();
        Area::new(Mapping::anonymous(shape.bytes()).unwrap(), shape)
    }

    fn claim(area: &Area, slot: u32, offset: u32, len: u32) -> Option<Taken> {
        // SAFETY: no kernel and nobody else writes an area of these tests.
        unsafe { area.claim(slot, offset, len) }
    }

    #[rstest]
    #[case::all(0, 0, 100, true)]
    #[case::nothing_at_the_end(1, 100, 0, true)]
    #[case::too_long(0, 0, 101, false)]
    #[case::behind_the_end(0, 101, 0, false)]
    #[case::over_the_end(0, 60, 41, false)]
    #[case::no_such_slot(2, 0, 1, false)]
    #[case::around_the_numbers(0, u32::MAX, 2, false)]
    fn a_claim_lies_in_a_slot(
        #[case] slot: u32,
        #[case] offset: u32,
        #[case] len: u32,
        #[case] is_one: bool,
    ) {
        let area = area(2, 100);
        let taken = claim(&area, slot, offset, len);
        assert_eq!(taken.is_some(), is_one);
        if let Some(taken) = taken {
            assert_eq!(area.bytes(&taken).len(), usize::try_from(len).unwrap());
        }
    }

    #[test]
    fn a_piece_outlives_its_area_on_another_thread() {
        let area = area(1, 16);
        let piece = area.detach(claim(&area, 0, 2, 3).unwrap()).unwrap();
        drop(area);
        std::thread::spawn(move || assert_eq!(piece.bytes(), [0; 3]))
            .join()
            .unwrap();
    }

    #[test]
    fn pieces_are_out_until_they_are_dropped() {
        let area = area(2, 16);
        let [first, second, forgotten] = [(0, 0), (0, 8), (1, 0)]
            .map(|(slot, offset)| area.detach(claim(&area, slot, offset, 8).unwrap()).unwrap());
        assert_eq!(area.outstanding(), 3);
        drop((first, second));
        mem::forget(forgotten);
        assert_eq!(area.outstanding(), 1, "a forgotten piece is out for good");
        let mut back = Vec::new();
        area.collect(|slot, pieces| back.push((slot, pieces)));
        assert_eq!(back, [(0, 2)]);
    }

    #[test]
    fn another_areas_claim_is_to_nothing() {
        let (area, other) = (area(1, 16), area(1, 16));
        let taken = claim(&other, 0, 0, 16).unwrap();
        assert!(area.bytes(&taken).is_empty());
        assert!(area.detach(taken).is_none());
        assert!(area.give_back(claim(&other, 0, 0, 16).unwrap()).is_none());
        assert_eq!(area.outstanding(), 0);
    }

    #[test]
    fn leaking_counts_the_mapping_once_and_keeps_it() {
        let area = area(2, 4096);
        let before = crate::sys::memory::leaked_bytes();
        area.leak();
        area.leak();
        // Other tests of this process leak too, so this is a lower bound.
        assert!(crate::sys::memory::leaked_bytes() - before >= 8192);
        let shared = Arc::downgrade(&area.shared);
        drop(area);
        assert_eq!(shared.strong_count(), 1, "kept, and once");
    }
}
