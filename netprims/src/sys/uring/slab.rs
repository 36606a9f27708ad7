use std::mem;

/// A table whose keys go out of date: a key names an entry *and* how often its place was used before, so
/// a completion that comes late finds nothing rather than the wrong entry.
#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    /// The first free place, `NONE` if there is none.
    free: u32,
    used: u32,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    next_free: u32,
    value: Option<T>,
}

const NONE: u32 = u32::MAX;

/// The most places a table has.
const MOST: u32 = (1 << 30) - 1;

/// Names an entry for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

/// Why a key finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The entry it named is gone.
    Late,
    /// It never named one of this table.
    Unknown,
}

/// A place of a table that is free.
pub(super) struct Vacancy<'a, T> {
    entry: &'a mut Entry<T>,
    index: u32,
    free: &'a mut u32,
    used: &'a mut u32,
}

impl<T> Vacancy<'_, T> {
    /// What the value's key will be.
    #[inline]
    pub(super) fn key(&self) -> Key {
        Key {
            index: self.index,
            generation: self.entry.generation,
        }
    }

    #[inline(always)]
    pub(super) fn fill(self, value: T) -> Key {
        *self.free = self.entry.next_free;
        *self.used += 1;
        // It is vacant. Said so, nobody looks whether there is something to drop.
        mem::forget(self.entry.value.replace(value));
        self.key()
    }
}

impl Key {
    /// The user data of requests that nobody asks after. No key has these bits: a table has fewer places.
    pub(super) const OF_NOBODY: u64 = u64::MAX;

    /// The user data of the timeout that wakes a ring which asks the kernel again. No key has these bits either.
    pub(super) const OF_THE_WAKER: u64 = u64::MAX - 0x100;

    /// Tells the user data of a request's linked timeout from the request's own. A table has fewer places than this.
    const LIMIT: u64 = 1 << 31;

    /// The user data of a request's linked timeout.
    pub(super) fn to_limit_bits(self) -> u64 {
        self.to_bits() | Self::LIMIT
    }

    /// The request whose linked timeout has this user data, if it is one's.
    pub(super) fn from_limit_bits(bits: u64) -> Option<Self> {
        (bits & Self::LIMIT != 0).then(|| Self::from_bits(bits & !Self::LIMIT))
    }

    /// Tells the user data of the asking to give up a request from the request's own.
    const CANCEL: u64 = 1 << 30;

    /// The user data of the asking to give up a request.
    pub(super) fn to_cancel_bits(self) -> u64 {
        self.to_bits() | Self::CANCEL
    }

    /// The request that was asked to be given up with this user data, if one was. It is no linked timeout's.
    pub(super) fn from_cancel_bits(bits: u64) -> Option<Self> {
        (bits & Self::CANCEL != 0).then(|| Self::from_bits(bits & !Self::CANCEL))
    }

    /// Its place in the table.
    pub(super) fn place(self) -> Option<usize> {
        usize::try_from(self.index).ok()
    }

    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// Its place in the table.
    pub(crate) fn index(self) -> usize {
        usize::try_from(self.index).unwrap_or(usize::MAX)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "takes a packed key apart into its halves"
    )]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self {
            index: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn new(capacity: u32) -> Self {
        let capacity = capacity.min(MOST);
        let entries = (0..capacity).map(|index| {
            let next_free = if index + 1 < capacity {
                index + 1
            } else {
                NONE
            };
            Entry {
                generation: 0,
                next_free,
                value: None,
            }
        });
        Self {
            entries: entries.collect(),
            free: if capacity == 0 { NONE } else { 0 },
            used: 0,
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.used
    }

    /// How many more values there is room for.
    pub(super) fn room(&self) -> usize {
        let used = usize::try_from(self.used).unwrap_or(usize::MAX);
        self.entries.len().saturating_sub(used)
    }

    /// Room for one more value, if there is.
    #[inline]
    pub(super) fn vacancy(&mut self) -> Option<Vacancy<'_, T>> {
        let index = self.free;
        Some(Vacancy {
            entry: entry_mut(&mut self.entries, index)?,
            index,
            free: &mut self.free,
            used: &mut self.used,
        })
    }

    /// Puts a value in; gives it back if the table is full.
    pub(super) fn insert(&mut self, value: T) -> Result<Key, T> {
        match self.vacancy() {
            Some(vacancy) => Ok(vacancy.fill(value)),
            None => Err(value),
        }
    }

    /// Puts a value in, with more room if there is none. Allocates; not for the data path.
    pub(super) fn insert_growing(&mut self, value: T) -> Result<Key, T> {
        if self.free == NONE {
            let Ok(index) = u32::try_from(self.entries.len()) else {
                return Err(value);
            };
            if index >= MOST {
                return Err(value);
            }
            self.entries.push(Entry {
                generation: 0,
                next_free: NONE,
                value: None,
            });
            self.free = index;
        }
        self.insert(value)
    }

    #[inline]
    pub(super) fn find(&self, key: Key) -> Option<&T> {
        let entry = self.entries.get(usize::try_from(key.index).ok()?)?;
        if entry.generation == key.generation {
            entry.value.as_ref()
        } else {
            None
        }
    }

    /// As [`find_mut`](Slab::find_mut), for those who do not ask why there is nothing.
    #[inline(always)]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let entry = entry_mut(&mut self.entries, key.index)?;
        if entry.generation != key.generation {
            return None;
        }
        entry.value.as_mut()
    }

    #[inline]
    pub(super) fn find_mut(&mut self, key: Key) -> Result<&mut T, Missing> {
        let entry = entry_mut(&mut self.entries, key.index).ok_or(Missing::Unknown)?;
        let is_used = entry.value.is_some();
        match &mut entry.value {
            Some(value) if entry.generation == key.generation => Ok(value),
            _ => Err(missing(entry.generation, is_used, key)),
        }
    }

    /// Takes a value out; its key finds nothing from now on.
    #[inline]
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = entry_mut(&mut self.entries, key.index)?;
        if entry.generation != key.generation {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        entry.next_free = self.free;
        self.free = key.index;
        self.used -= 1;
        Some(value)
    }

    /// Takes out what is wanted of a value and forgets the rest, unless nothing is: what has to be dropped is wanted.
    #[inline(always)]
    pub(super) fn remove_with<R>(
        &mut self,
        key: Key,
        wanted: impl FnOnce(&mut T) -> Option<R>,
    ) -> Option<R> {
        let entry = entry_mut(&mut self.entries, key.index)?;
        if entry.generation != key.generation {
            return None;
        }
        let value = wanted(entry.value.as_mut()?)?;
        mem::forget(entry.value.take());
        entry.generation = entry.generation.wrapping_add(1);
        entry.next_free = self.free;
        self.free = key.index;
        self.used -= 1;
        Some(value)
    }

    /// Takes all values out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.used = 0;
        self.free = NONE;
        // Closed for insertion: the table is about to go.
        self.entries.iter_mut().filter_map(|entry| {
            entry.generation = entry.generation.wrapping_add(1);
            entry.value.take()
        })
    }

    /// The key of whatever is in a key's place now. Believing it is the seeded defect.
    #[cfg(test)]
    pub(super) fn current(&self, key: Key) -> Key {
        let entry = self.entries.get(key.index as usize);
        Key {
            generation: entry.map_or(key.generation, |entry| entry.generation),
            ..key
        }
    }

    /// The key of the first value that is such. Looks at all of them; not for the data path.
    pub(super) fn key_of(&self, is_such: impl Fn(&T) -> bool) -> Option<Key> {
        let mut entries = (0..).zip(&self.entries);
        let found = entries.find(|(_, entry)| entry.value.as_ref().is_some_and(&is_such));
        found.map(|(index, entry)| Key {
            index,
            generation: entry.generation,
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| entry.value.as_ref())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let entries = self.entries.iter_mut();
        entries.filter_map(|entry| entry.value.as_mut())
    }
}

/// Why a key finds nothing in its place.
#[cold]
fn missing(generation: u32, is_used: bool, key: Key) -> Missing {
    match generation.wrapping_sub(key.generation) {
        // Nobody has had this one yet.
        0 if !is_used => Missing::Unknown,
        // The place was used before with any generation up to the current one.
        0..=0x7fff_ffff => Missing::Late,
        _ => Missing::Unknown,
    }
}

#[inline]
fn entry_mut<T>(entries: &mut [Entry<T>], index: u32) -> Option<&mut Entry<T>> {
    entries.get_mut(usize::try_from(index).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u16),
        Remove(usize),
        Find(usize),
        FindForged(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            any::<u16>().prop_map(Op::Insert),
            any::<usize>().prop_map(Op::Remove),
            any::<usize>().prop_map(Op::Find),
            any::<u64>().prop_map(Op::FindForged),
        ]
    }

    proptest! {
        /// Against a map: live keys find their value, dead and forged ones find nothing.
        #[test]
        fn keys_find_their_own_value_or_nothing(capacity in 0_u32..12, ops in prop::collection::vec(op(), 0..300)) {
            let mut slab = Slab::new(capacity);
            let mut live: HashMap<Key, u16> = HashMap::new();
            let mut issued: Vec<Key> = Vec::new();
            for op in ops {
                match op {
                    Op::Insert(value) => match slab.insert(value) {
                        Ok(key) => {
                            prop_assert!(!issued.contains(&key), "a key is never issued twice");
                            issued.push(key);
                            live.insert(key, value);
                        }
                        Err(back) => {
                            prop_assert_eq!(back, value);
                            prop_assert_eq!(live.len(), capacity as usize);
                        }
                    },
                    Op::Remove(which) if !issued.is_empty() => {
                        let key = issued[which % issued.len()];
                        prop_assert_eq!(slab.remove(key), live.remove(&key));
                    }
                    Op::Find(which) if !issued.is_empty() => {
                        let key = issued[which % issued.len()];
                        prop_assert_eq!(slab.find(key), live.get(&key));
                        match live.get(&key) {
                            Some(value) => {
                                let mut value = *value;
                                prop_assert_eq!(slab.find_mut(key), Ok(&mut value));
                            }
                            None => prop_assert_eq!(slab.find_mut(key), Err(Missing::Late)),
                        }
                    }
                    Op::FindForged(bits) => {
                        let key = Key::from_bits(bits);
                        prop_assert_eq!(key.to_bits(), bits);
                        if !issued.contains(&key) {
                            prop_assert!(slab.find_mut(key).is_err() && slab.remove(key).is_none());
                        }
                    }
                    _ => {}
                }
                prop_assert_eq!(slab.len() as usize, live.len());
                prop_assert_eq!(slab.iter().count(), live.len());
            }
        }
    }

    #[test]
    fn grows_when_asked_to() {
        let mut slab = Slab::new(0);
        let keys: Vec<_> = (0..5)
            .map(|value| slab.insert_growing(value).unwrap())
            .collect();
        slab.remove(keys[2]);
        let again = slab.insert_growing(9).unwrap();
        assert_eq!((again.index, again.generation), (2, 1));
        assert_eq!(slab.find(keys[4]), Some(&4));
    }

    #[test]
    fn generations_wrap_without_confusion() {
        let mut slab = Slab::new(1);
        slab.entries[0].generation = u32::MAX;
        let old = slab.insert('a').unwrap();
        slab.remove(old);
        let new = slab.insert('b').unwrap();
        assert_eq!(slab.find_mut(old), Err(Missing::Late));
        assert_eq!(slab.find(new), Some(&'b'));
    }
}
