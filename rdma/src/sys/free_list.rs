//! A lock-free stack of slot numbers.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many numbers a list can have: they take 24 bits, and one word is the end.
pub(crate) const MAX_COUNT: u32 = END;
/// The end of the list.
const END: u32 = (1 << NUMBER_BITS) - 1;
const NUMBER_BITS: u32 = 24;

/// Numbers `0..n`, each given out to one holder at a time.
///
/// The head packs a counter of 40 bits above the number on top. Each change bumps the counter, so a
/// `pop` that was overtaken by a pop and a push of the same number fails its exchange and starts
/// again. It would have to sleep through exactly a multiple of 2^40 changes for that to go wrong:
/// hours, at the fastest.
#[derive(Debug)]
pub(crate) struct FreeList {
    head: AtomicU64,
    next: Box<[AtomicU32]>,
}

impl FreeList {
    /// All of `0..count`, but no more than [`MAX_COUNT`].
    pub(crate) fn full(count: u32) -> Self {
        let count = count.min(MAX_COUNT);
        let next = (1..=count)
            .map(|next| AtomicU32::new(if next == count { END } else { next }))
            .collect();
        let top = if count == 0 { END } else { 0 };
        FreeList {
            head: AtomicU64::new(pack(0, top)),
            next,
        }
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<u32> {
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            let (counter, top) = unpack(head);
            let next = self
                .next
                .get(usize::try_from(top).ok()?)?
                .load(Ordering::Relaxed);
            let new = pack(counter.wrapping_add(1), next);
            match self
                .head
                .compare_exchange_weak(head, new, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(_) => return Some(top),
                Err(actual) => head = actual,
            }
        }
    }

    /// Gives a number back. The caller holds it.
    #[inline]
    pub(crate) fn push(&self, number: u32) {
        let Some(next) = usize::try_from(number)
            .ok()
            .and_then(|index| self.next.get(index))
        else {
            return;
        };
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            let (counter, top) = unpack(head);
            next.store(top, Ordering::Relaxed);
            let new = pack(counter.wrapping_add(1), number);
            // Release: what was written to the slot happens before the next holder gets it.
            match self
                .head
                .compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(actual) => head = actual,
            }
        }
    }

    /// How many numbers are free. Exact only while nobody pops or pushes.
    #[cfg(test)]
    pub(crate) fn free(&self) -> Vec<u32> {
        let (_, mut top) = unpack(self.head.load(Ordering::Acquire));
        let mut free = Vec::new();
        while let Some(next) = self.next.get(top as usize) {
            free.push(top);
            top = next.load(Ordering::Acquire);
        }
        free
    }
}

/// The counter loses what is above its 40 bits.
const fn pack(counter: u64, top: u32) -> u64 {
    (counter << NUMBER_BITS) | top as u64
}

fn unpack(head: u64) -> (u64, u32) {
    let top = u32::try_from(head & u64::from(END)).unwrap_or(END);
    (head >> NUMBER_BITS, top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_out_each_number_once() {
        let list = FreeList::full(3);
        let mut got = [
            list.pop().unwrap(),
            list.pop().unwrap(),
            list.pop().unwrap(),
        ];
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2]);
        assert_eq!(list.pop(), None);
        list.push(1);
        assert_eq!(list.pop(), Some(1));
        assert_eq!(FreeList::full(0).pop(), None);
    }

    #[test]
    fn the_counter_does_not_come_round_with_32_bits_and_never_touches_the_number() {
        for top in [0, 7, END] {
            assert_ne!(pack(1 << 32, top), pack(0, top));
            assert_eq!(pack(1 << 40, top), pack(0, top));
            let last = (1 << 40) - 1;
            assert_eq!(unpack(pack(last, top)), (last, top));
        }
    }

    #[test]
    fn ignores_a_number_it_never_had() {
        let list = FreeList::full(1);
        list.push(7);
        assert_eq!(list.free(), [0]);
    }

    #[test]
    fn no_number_is_held_twice_by_two_threads() {
        let list = FreeList::full(4);
        let held: [AtomicU32; 4] = std::array::from_fn(|_| AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let Some(number) = list.pop() else { continue };
                        assert_eq!(held[number as usize].fetch_add(1, Ordering::AcqRel), 0);
                        held[number as usize].fetch_sub(1, Ordering::AcqRel);
                        list.push(number);
                    }
                });
            }
        });
        assert_eq!(list.free().len(), 4);
    }
}
