//! Which slots a buffer ring shows to the kernel, and what a completion takes of them. Pure.

#[cfg(test)]
use crate::sys::defect::{Defect, seeded};

/// The slots that the kernel may fill, in the order it does.
///
/// The kernel takes them in this order, and completions mostly follow it, but one may be told late (6.1 posts the last
/// completion of a request behind those of others). So a completion is matched by its slot, and a place of the ring is
/// written again only when the slot that was shown there has been told.
#[derive(Debug)]
pub(super) struct Order {
    /// How many have been shown, modulo 2^16, as the kernel counts.
    tail: u16,
    /// One less than the places of the ring, which are a power of two.
    mask: u16,
    /// The slot at each place, `NONE` if it was told.
    places: Box<[u32]>,
    /// For each slot that is shown, where.
    shown: Box<[Option<Shown>]>,
    slot_len: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    /// What `tail` was then.
    position: u16,
    /// Bytes at the start of the slot that were told already.
    filled: u32,
}

/// How the kernel fills slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// One completion, one slot.
    Single,
    /// One completion, as many slots as its bytes need (`IORING_RECVSEND_BUNDLE`).
    Bundle,
    /// One slot, as many completions as it has room for (`IOU_PBUF_RING_INC`).
    Incremental,
}

/// Bytes of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) slot: u32,
    pub(super) offset: u32,
    pub(super) len: u32,
    /// The kernel has let go of the slot.
    pub(super) is_last: bool,
}

/// A completion that fits nothing that was shown: nothing is known of any slot on its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misfit;

/// No slot.
const NONE: u32 = u32::MAX;

/// The most places a ring can have; the kernel counts them in 16 bits, and must tell full from empty.
pub(crate) const MOST_PLACES: u16 = 1 << 15;

impl Order {
    /// An empty ring with at least as many places as there are slots. `None` if there are none, or too many.
    pub(super) fn new(slots: u32, slot_len: u32) -> Option<Self> {
        let slots = u16::try_from(slots).ok()?;
        let places = slots.checked_next_power_of_two()?;
        let is_possible = slots != 0 && places <= MOST_PLACES;
        is_possible.then(|| Self {
            tail: 0,
            mask: places.wrapping_sub(1),
            places: (0..places).map(|_| NONE).collect(),
            shown: (0..slots).map(|_| None).collect(),
            slot_len,
        })
    }

    /// How many places the ring has.
    pub(super) fn places(&self) -> u16 {
        self.mask.wrapping_add(1)
    }

    pub(super) fn tail(&self) -> u16 {
        self.tail
    }

    /// Slots that are shown.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shown.iter().flatten().count()
    }

    /// Whether the last slot that was shown before the count was this was not taken. Slots are taken in order, so without it
    /// none of them is left.
    pub(super) fn is_any_left(&self, count: u16) -> bool {
        let last = count.wrapping_sub(1);
        let slot = self.places.get(usize::from(last & self.mask)).copied();
        let shown = slot
            .and_then(|slot| usize::try_from(slot).ok())
            .and_then(|slot| self.shown.get(slot).copied().flatten());
        shown.is_some_and(|shown| shown.position == last)
    }

    /// Whether the next place can be written.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        let place = usize::from(self.tail & self.mask);
        self.places.get(place).is_some_and(|slot| *slot == NONE)
    }

    /// Shows a slot next: the place to write. `None`, and nothing changed, if there is no room or no such slot, or if it
    /// is shown already.
    #[inline]
    pub(super) fn show(&mut self, slot: u32) -> Option<u16> {
        let place = self.tail & self.mask;
        let at = self
            .places
            .get_mut(usize::from(place))
            .filter(|at| **at == NONE)?;
        let shown = self.shown.get_mut(usize::try_from(slot).ok()?)?;
        if shown.is_some() {
            return None;
        }
        *shown = Some(Shown {
            position: self.tail,
            filled: 0,
        });
        *at = slot;
        self.tail = self.tail.wrapping_add(1);
        Some(place)
    }

    /// A completion took one slot, as [`Filling::Single`] does, and has told of so many bytes in it. False, and nothing
    /// changed, if that does not fit.
    #[inline]
    pub(super) fn take_single(&mut self, slot: u16, len: u32) -> bool {
        let fits = len <= self.slot_len;
        let shown = self.shown.get_mut(usize::from(slot));
        let Some(was) = shown.filter(|_| fits).and_then(Option::take) else {
            return false;
        };
        if let Some(place) = self.places.get_mut(usize::from(was.position & self.mask)) {
            *place = NONE;
        }
        true
    }

    /// What a completion took: tells each part, in the order of the bytes. `buffer` is the one it names, `has_more`
    /// whether the kernel keeps that buffer. Nothing is told, and nothing changed, if it does not fit.
    ///
    /// A completion with no bytes that names a buffer gives that one back, except in a bundle: kernels count no
    /// buffer there, and it may be filled yet.
    pub(super) fn take(
        &mut self,
        filling: Filling,
        buffer: u16,
        len: u32,
        has_more: bool,
        mut each: impl FnMut(Part),
    ) -> Result<(), Misfit> {
        let slot = u32::from(buffer);
        let first = self.shown(slot).ok_or(Misfit)?;
        match filling {
            Filling::Incremental => {
                let filled = first.filled.checked_add(len).ok_or(Misfit)?;
                if filled > self.slot_len {
                    return Err(Misfit);
                }
                #[cfg(test)]
                let has_more = has_more && !seeded(Defect::ReleaseAtFirstPart);
                let position = first.position;
                self.set_shown(slot, has_more.then_some(Shown { position, filled }));
                each(Part {
                    slot,
                    offset: first.filled,
                    len,
                    is_last: !has_more,
                });
                Ok(())
            }
            _ if has_more => Err(Misfit),
            Filling::Single if !self.take_single(buffer, len) => Err(Misfit),
            Filling::Single => {
                each(whole(slot, len));
                Ok(())
            }
            Filling::Bundle if len == 0 => Err(Misfit),
            Filling::Bundle => self.take_bundle(first.position, len, each),
        }
    }

    fn take_bundle(
        &mut self,
        first: u16,
        len: u32,
        mut each: impl FnMut(Part),
    ) -> Result<(), Misfit> {
        let count = u16::try_from(len.div_ceil(self.slot_len)).map_err(|_| Misfit)?;
        if count > self.places() {
            return Err(Misfit);
        }
        let slot_of = |order: &Self, nth: u16| {
            #[cfg(test)]
            if seeded(Defect::BundleByNumber) {
                let slot = order.shown_at(first)? + u32::from(nth);
                return order.shown(slot).map(|_| slot);
            }
            order.shown_at(first.wrapping_add(nth))
        };
        if (0..count).any(|nth| slot_of(self, nth).is_none()) {
            return Err(Misfit);
        }
        let mut left = len;
        for nth in 0..count {
            let Some(slot) = slot_of(self, nth) else {
                return Err(Misfit);
            };
            self.set_shown(slot, None);
            let len = left.min(self.slot_len);
            left -= len;
            each(whole(slot, len));
        }
        Ok(())
    }

    #[inline]
    fn shown(&self, slot: u32) -> Option<Shown> {
        *self.shown.get(usize::try_from(slot).ok()?)?
    }

    /// The slot that was shown when `tail` was this, if it still is.
    fn shown_at(&self, position: u16) -> Option<u32> {
        let slot = *self.places.get(usize::from(position & self.mask))?;
        self.shown(slot)
            .filter(|shown| shown.position == position)
            .map(|_| slot)
    }

    #[inline]
    fn set_shown(&mut self, slot: u32, to: Option<Shown>) {
        let index = usize::try_from(slot).ok();
        let Some(shown) = index.and_then(|index| self.shown.get_mut(index)) else {
            return;
        };
        let was = std::mem::replace(shown, to);
        if let (Some(was), None) = (was, to) {
            if let Some(place) = self.places.get_mut(usize::from(was.position & self.mask)) {
                *place = NONE;
            }
        }
    }
}

#[inline]
fn whole(slot: u32, len: u32) -> Part {
    Part {
        slot,
        offset: 0,
        len,
        is_last: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Filling::{Bundle, Incremental, Single};
    use rstest::rstest;

    fn order(shown: &[u32]) -> Order {
        let mut order = Order::new(4, 100).unwrap();
        for slot in shown {
            order.show(*slot).unwrap();
        }
        order
    }

    fn part(slot: u32, offset: u32, len: u32, is_last: bool) -> Part {
        Part {
            slot,
            offset,
            len,
            is_last,
        }
    }

    fn taken(
        order: &mut Order,
        filling: Filling,
        slot: u16,
        len: u32,
        more: bool,
    ) -> Result<Vec<Part>, Misfit> {
        let mut parts = Vec::new();
        order.take(filling, slot, len, more, |part| parts.push(part))?;
        Ok(parts)
    }

    #[rstest]
    #[case::no_slots(0, None)]
    #[case::one(1, Some(1))]
    #[case::rounded_up(5, Some(8))]
    #[case::the_most(1 << 15, Some(1 << 15))]
    #[case::too_many((1 << 15) + 1, None)]
    #[case::far_too_many(1 << 16, None)]
    fn a_ring_has_a_place_for_every_slot(#[case] slots: u32, #[case] places: Option<u16>) {
        assert_eq!(Order::new(slots, 1).map(|order| order.places()), places);
    }

    #[rstest]
    #[case::a_slot(Single, 2, 100, false, vec![part(2, 0, 100, true)])]
    #[case::part_of_a_slot(Single, 0, 1, false, vec![part(0, 0, 1, true)])]
    #[case::no_bytes(Single, 0, 0, false, vec![part(0, 0, 0, true)])]
    #[case::a_bundle_of_one(Bundle, 3, 7, false, vec![part(3, 0, 7, true)])]
    #[case::a_bundle_in_the_order_shown(
        Bundle, 3, 250, false,
        vec![part(3, 0, 100, true), part(0, 0, 100, true), part(2, 0, 50, true)]
    )]
    #[case::a_bundle_from_the_middle(Bundle, 0, 200, false, vec![part(0, 0, 100, true), part(2, 0, 100, true)])]
    #[case::some_of_a_slot(Incremental, 3, 60, true, vec![part(3, 0, 60, false)])]
    #[case::all_of_a_slot(Incremental, 3, 100, false, vec![part(3, 0, 100, true)])]
    #[case::the_rest_given_up(Incremental, 3, 1, false, vec![part(3, 0, 1, true)])]
    #[case::nothing_yet(Incremental, 3, 0, true, vec![part(3, 0, 0, false)])]
    fn a_completion_takes(
        #[case] filling: Filling,
        #[case] slot: u16,
        #[case] len: u32,
        #[case] more: bool,
        #[case] parts: Vec<Part>,
    ) {
        let mut order = order(&[3, 0, 2]);
        assert_eq!(
            taken(&mut order, filling, slot, len, more),
            Ok(parts.clone())
        );
        let told = parts.iter().filter(|part| part.is_last).count();
        assert_eq!(order.len(), 3 - told);
        // Once and no more, unless the kernel keeps it.
        let again = taken(&mut order, filling, slot, 1, more);
        assert_eq!(again.is_ok(), more, "{again:?}");
    }

    #[rstest]
    #[case::never_shown(Single, 1, 1, false)]
    #[case::no_such_slot(Single, 4, 1, false)]
    #[case::far_off(Single, u16::MAX, 1, false)]
    #[case::longer_than_the_slot(Single, 3, 101, false)]
    #[case::keeps_a_whole_slot(Single, 3, 1, true)]
    #[case::bundle_of_more_than_shown(Bundle, 3, 301, false)]
    #[case::bundle_past_the_last(Bundle, 2, 101, false)]
    #[case::bundle_of_nothing(Bundle, 3, 0, false)]
    #[case::bundle_that_goes_on(Bundle, 3, 1, true)]
    #[case::bundle_beyond_all_numbers(Bundle, 3, u32::MAX, false)]
    #[case::longer_than_the_rest(Incremental, 3, 101, true)]
    #[case::more_than_a_number_holds(Incremental, 3, u32::MAX, true)]
    fn what_does_not_fit_takes_nothing(
        #[case] filling: Filling,
        #[case] slot: u16,
        #[case] len: u32,
        #[case] more: bool,
    ) {
        let mut order = order(&[3, 0, 2]);
        assert_eq!(taken(&mut order, filling, slot, len, more), Err(Misfit));
        assert_eq!(order.len(), 3);
        assert!(taken(&mut order, Bundle, 3, 300, false).is_ok());
    }

    #[test]
    fn parts_of_a_slot_follow_each_other() {
        let mut order = order(&[1]);
        let offsets = [(30, true, 0), (50, true, 30), (20, false, 80)];
        for (len, more, offset) in offsets {
            let parts = taken(&mut order, Incremental, 1, len, more).unwrap();
            assert_eq!(parts, [part(1, offset, len, !more)]);
        }
        assert_eq!(order.show(1), Some(1), "told, it can be shown again");
        assert_eq!(
            taken(&mut order, Incremental, 1, 1, true).unwrap()[0].offset,
            0
        );
    }

    #[test]
    fn a_place_is_not_written_before_its_slot_was_told() {
        let mut order = order(&[0, 1, 2, 3]);
        assert!(taken(&mut order, Single, 1, 1, false).is_ok());
        assert!(!order.has_room());
        assert_eq!(order.show(1), None, "slot 0 is at that place, told late");
        assert!(taken(&mut order, Single, 0, 1, false).is_ok());
        assert_eq!((order.show(1), order.show(0)), (Some(0), Some(1)));
        assert!(order.show(0).is_none(), "shown already");
    }

    #[test]
    fn a_bundle_does_not_run_into_what_was_shown_a_round_before() {
        let mut order = order(&[0, 1, 2, 3]);
        for slot in [0, 1, 2] {
            assert!(taken(&mut order, Single, slot, 1, false).is_ok());
        }
        order.show(2).unwrap();
        // Behind slot 2 comes a place that is empty, and then slot 3's, which the kernel has passed.
        assert_eq!(taken(&mut order, Bundle, 2, 300, false), Err(Misfit));
        assert_eq!(taken(&mut order, Bundle, 3, 200, false).unwrap().len(), 2);
    }

    #[test]
    fn the_count_comes_round() {
        let mut order = Order::new(2, 100).unwrap();
        for round in 0..70_000_u32 {
            let slot = u16::try_from(round % 2).unwrap();
            assert_eq!(order.show(slot.into()), Some(slot));
            assert!(taken(&mut order, Bundle, slot, 1, false).is_ok());
        }
        assert_eq!(u32::from(order.tail()), 70_000 % (1 << 16));
    }
}
