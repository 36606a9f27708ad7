use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The free slots of a pool: a stack of indices that any thread may pop from and push to, without lock or allocation.
///
/// An index is popped at most once between two pushes of it; slots rest their uniqueness on that.
#[derive(Debug)]
pub(super) struct FreeList {
    /// The top of the stack in the low 24 bits, a change counter in the others, so that a pop that was overtaken by a pop
    /// and a push of the same index fails instead of linking a stale successor (the ABA problem). The counter comes
    /// round after 2^40 changes: a thread would have to be stopped for hours between two instructions of a pop, and wake
    /// at the very change.
    head: AtomicU64,
    /// For each index on the stack the one below it.
    below: Box<[AtomicU32]>,
}

const INDEX_BITS: u32 = 24;

/// No index: all index bits set.
const NONE: u32 = (1 << INDEX_BITS) - 1;

/// How many indices a list can have.
pub(super) const MOST: u32 = NONE;

impl FreeList {
    /// All indices below `count` are free; `count` is at most [`MOST`].
    pub(super) fn full(count: u32) -> Self {
        let below = (0..count)
            .map(|index| AtomicU32::new(if index + 1 < count { index + 1 } else { NONE }));
        let top = if count == 0 { NONE } else { 0 };
        Self {
            head: AtomicU64::new(pack(0, top)),
            below: below.collect(),
        }
    }

    /// Takes a free index.
    #[inline]
    pub(super) fn pop(&self) -> Option<u32> {
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            let (changes, top) = unpack(head);
            let below = self.entry(top)?.load(Ordering::Relaxed);
            let next = pack(changes.wrapping_add(1), below);
            match self
                .head
                .compare_exchange_weak(head, next, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(_) => return Some(top),
                Err(current) => head = current,
            }
        }
    }

    /// Gives an index back. It must have been popped and not pushed since.
    #[inline]
    pub(super) fn push(&self, index: u32) {
        let Some(entry) = self.entry(index) else {
            return;
        };
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            let (changes, top) = unpack(head);
            entry.store(top, Ordering::Relaxed);
            let next = pack(changes.wrapping_add(1), index);
            // Release: who pops this index sees what its former owner wrote to the slot.
            match self
                .head
                .compare_exchange_weak(head, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(current) => head = current,
            }
        }
    }

    fn entry(&self, index: u32) -> Option<&AtomicU32> {
        self.below.get(usize::try_from(index).ok()?)
    }
}

fn pack(changes: u64, top: u32) -> u64 {
    changes << INDEX_BITS | u64::from(top)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "takes a packed value apart: the mask leaves 24 bits"
)]
fn unpack(head: u64) -> (u64, u32) {
    (head >> INDEX_BITS, (head & u64::from(NONE)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicBool;

    proptest! {
        /// Against a model: what is popped was free, and nothing is lost.
        #[test]
        fn hands_out_each_index_once(count in 0_u32..40, ops in prop::collection::vec(any::<Option<u8>>(), 0..200)) {
            let list = FreeList::full(count);
            let mut held: Vec<u32> = Vec::new();
            for op in ops {
                match op {
                    None => match list.pop() {
                        Some(index) => {
                            prop_assert!(index < count && !held.contains(&index));
                            held.push(index);
                        }
                        None => prop_assert_eq!(held.len(), count as usize),
                    },
                    Some(which) if !held.is_empty() => {
                        let which = usize::from(which) % held.len();
                        list.push(held.swap_remove(which));
                    }
                    Some(_) => {}
                }
            }
            let free = std::iter::from_fn(|| list.pop()).count();
            prop_assert_eq!(free + held.len(), count as usize);
        }
    }

    #[rstest::rstest]
    #[case(0, 0)]
    #[case(1, NONE)]
    #[case((1 << 40) - 1, NONE - 1)]
    fn what_is_packed_comes_apart(#[case] changes: u64, #[case] top: u32) {
        assert_eq!(unpack(pack(changes, top)), (changes, top));
    }

    #[test]
    fn the_counter_comes_round_without_touching_the_index() {
        let list = FreeList::full(2);
        list.head.store(pack((1 << 40) - 1, 0), Ordering::Relaxed);
        assert_eq!(list.pop(), Some(0));
        assert_eq!(unpack(list.head.load(Ordering::Relaxed)), (0, 1));
    }

    #[test]
    fn threads_never_hold_the_same_index() {
        let list = FreeList::full(3);
        let taken: [AtomicBool; 3] = Default::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50_000 {
                        let Some(index) = list.pop() else { continue };
                        let taken = &taken[index as usize];
                        assert!(
                            !taken.swap(true, Ordering::SeqCst),
                            "index {index} handed out twice"
                        );
                        taken.store(false, Ordering::SeqCst);
                        list.push(index);
                    }
                });
            }
        });
        assert_eq!(std::iter::from_fn(|| list.pop()).count(), 3);
    }
}
