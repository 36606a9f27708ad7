//! Work in flight whose order nobody knows.

#[cfg(test)]
use super::defect::{Defect, seeded};
use super::flight::NotInFlight;

/// Items on numbered places, each taken out by the number it was given when put in.
///
/// A number is a place and how often the place was used before, so that an old number does not fit
/// what is there now, until its place was used 2^32 / places times.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    places: Box<[Place<T>]>,
    free: Vec<u32>,
    /// How many bits of a number say which place.
    bits: u32,
}

#[derive(Debug)]
struct Place<T> {
    round: u32,
    item: Option<T>,
}

impl<T> Shelf<T> {
    /// With `count` places, at most 2^24.
    pub(crate) fn new(count: u32) -> Self {
        let count = count.min(super::flight::MAX_DEPTH);
        let place = |_| Place {
            round: 0,
            item: None,
        };
        Shelf {
            places: (0..count).map(place).collect(),
            free: (0..count).rev().collect(),
            bits: count.next_power_of_two().trailing_zeros(),
        }
    }

    pub(crate) fn places(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn len(&self) -> u32 {
        let free = u32::try_from(self.free.len()).unwrap_or(0);
        self.places().saturating_sub(free)
    }

    /// Puts an item in, and says by which number it is taken out; gives it back when there is no
    /// place.
    #[inline]
    pub(crate) fn put(&mut self, item: T) -> Result<u32, T> {
        let Some(index) = self.free.pop() else {
            return Err(item);
        };
        let place = &mut self.places[index as usize];
        place.item = Some(item);
        Ok((place.round << self.bits) | index)
    }

    /// Takes out the item of this number; unless `fits` says that it cannot be meant.
    #[inline]
    pub(crate) fn take(
        &mut self,
        number: u32,
        fits: impl FnOnce(&mut T) -> bool,
    ) -> Result<T, NotInFlight> {
        #[cfg(test)]
        let number = match seeded(Defect::RetireSharedInOrder) {
            true => self.first().unwrap_or(number),
            false => number,
        };
        let index = number & ((1 << self.bits) - 1);
        let place = self.places.get_mut(index as usize).ok_or(NotInFlight)?;
        if (place.round << self.bits) | index != number {
            return Err(NotInFlight);
        }
        if !place.item.as_mut().is_some_and(fits) {
            return Err(NotInFlight);
        }
        let item = place.item.take().ok_or(NotInFlight)?;
        place.round = place.round.wrapping_add(1);
        self.free.push(index);
        Ok(item)
    }

    /// The number of the first place that is taken.
    #[cfg(test)]
    fn first(&self) -> Option<u32> {
        let index = self.places.iter().position(|place| place.item.is_some())?;
        Some((self.places[index].round << self.bits) | u32::try_from(index).ok()?)
    }

    /// The items.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|place| place.item.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn each_number_takes_its_own_item_once(count in 0..20u32, steps in prop::collection::vec(any::<(bool, prop::sample::Index)>(), 0..300)) {
            let mut shelf = Shelf::new(count);
            let (mut model, mut gone) = (BTreeMap::new(), Vec::new());
            for (item, (put, which)) in steps.into_iter().enumerate() {
                if put {
                    match shelf.put(item) {
                        Ok(number) => prop_assert!(model.insert(number, item).is_none()),
                        Err(back) => prop_assert_eq!((back, model.len()), (item, count as usize)),
                    }
                } else if !model.is_empty() {
                    let (&number, &item) = model.iter().nth(which.index(model.len())).unwrap();
                    prop_assert_eq!(shelf.take(number, |_| false), Err(NotInFlight));
                    prop_assert_eq!(shelf.take(number, |_| true), Ok(item));
                    model.remove(&number);
                    gone.push(number);
                }
                for number in &gone {
                    if !model.contains_key(number) {
                        prop_assert_eq!(shelf.take(*number, |_| true), Err(NotInFlight));
                    }
                }
                prop_assert_eq!(shelf.len() as usize, model.len());
                prop_assert_eq!(shelf.iter().count(), model.len());
            }
        }

        #[test]
        fn any_number_is_looked_up(count in 0..20u32, number: u32) {
            let mut shelf = Shelf::<u8>::new(count);
            prop_assert_eq!(shelf.take(number, |_| true), Err(NotInFlight));
        }
    }
}
