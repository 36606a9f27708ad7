use std::sync::atomic::{AtomicU32, Ordering};

/// Slots of which pieces came back: a stack that any thread pushes to and the ring takes as a whole, without lock or
/// allocation.
///
/// A slot is on it at most once, however many of its pieces came back: the first to come puts it there, the others are
/// counted. The ring takes everything at once, so there is no pop that another could overtake (no ABA problem).
#[derive(Debug)]
pub(super) struct Returns {
    top: AtomicU32,
    links: Box<[Link]>,
}

#[derive(Debug)]
struct Link {
    /// The slot below on the stack. Written by whoever made `pieces` one, and read before it is zero again.
    below: AtomicU32,
    /// Pieces that came back and were not collected. The slot is on the stack, or about to be, if there are any.
    pieces: AtomicU32,
}

/// No slot.
const NONE: u32 = u32::MAX;

impl Returns {
    pub(super) fn new(slots: u32) -> Self {
        let link = |_| Link {
            below: AtomicU32::new(NONE),
            pieces: AtomicU32::new(0),
        };
        Self {
            top: AtomicU32::new(NONE),
            links: (0..slots).map(link).collect(),
        }
    }

    /// A piece of the slot came back.
    pub(super) fn push(&self, slot: u32) {
        let Some(link) = self.link(slot) else {
            return;
        };
        // Release: who collects it may let the kernel write what the piece's owner has read until now. Acquire: what is
        // written below comes after what was read there by who collected the last ones.
        if link.pieces.fetch_add(1, Ordering::AcqRel) != 0 {
            return;
        }
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            link.below.store(top, Ordering::Relaxed);
            match self
                .top
                // For the bell, which is looked at next.
                .compare_exchange_weak(top, slot, Ordering::SeqCst, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(current) => top = current,
            }
        }
    }

    /// Takes all that came back: each slot with the number of its pieces.
    pub(super) fn collect(&self, mut each: impl FnMut(u32, u32)) {
        // Most of the time nothing has, and a load leaves the line where it is.
        if self.top.load(Ordering::Relaxed) == NONE {
            return;
        }
        let mut top = self.top.swap(NONE, Ordering::Acquire);
        while let Some(link) = self.link(top) {
            let slot = top;
            // Before the count is zero, which the release of the swap sees to: from then on the next piece to come back may
            // push the slot again.
            top = link.below.load(Ordering::Relaxed);
            each(slot, link.pieces.swap(0, Ordering::AcqRel));
        }
    }

    /// Whether nothing came back since the last time, or only what is going to look at the [`Bell`](super::Bell).
    pub(super) fn is_empty(&self) -> bool {
        self.top.load(Ordering::SeqCst) == NONE
    }

    fn link(&self, slot: u32) -> Option<&Link> {
        self.links.get(usize::try_from(slot).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn collected(returns: &Returns) -> Vec<(u32, u32)> {
        let mut all = Vec::new();
        returns.collect(|slot, pieces| all.push((slot, pieces)));
        all
    }

    proptest! {
        /// Against a model: every piece is collected once, and every slot is told once.
        #[test]
        fn what_comes_back_is_collected_once(ops in prop::collection::vec(prop::option::of(0_u32..6), 0..200)) {
            let returns = Returns::new(6);
            let mut model = BTreeMap::new();
            for op in ops {
                match op {
                    Some(slot) => {
                        returns.push(slot);
                        *model.entry(slot).or_insert(0) += 1;
                    }
                    None => {
                        let mut got = collected(&returns);
                        got.sort_unstable();
                        prop_assert_eq!(got, std::mem::take(&mut model).into_iter().collect::<Vec<_>>());
                    }
                }
            }
        }
    }

    #[test]
    fn the_slot_that_came_last_is_collected_first() {
        let returns = Returns::new(3);
        [0, 2, 0, 1].into_iter().for_each(|slot| returns.push(slot));
        assert_eq!(collected(&returns), [(1, 1), (2, 1), (0, 2)]);
        assert_eq!(collected(&returns), []);
    }

    #[test]
    fn a_slot_that_is_none_of_them_is_ignored() {
        let returns = Returns::new(3);
        returns.push(3);
        returns.push(NONE);
        assert_eq!(collected(&returns), []);
    }

    #[test]
    fn threads_lose_no_piece() {
        const EACH: u32 = 20_000;
        let returns = Returns::new(3);
        let total = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let returns = &returns;
                    scope.spawn(move || (0..EACH).for_each(|nth| returns.push((nth + thread) % 3)))
                })
                .collect();
            let mut total = 0;
            while threads.iter().any(|thread| !thread.is_finished()) {
                returns.collect(|_, pieces| total += pieces);
            }
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            returns.collect(|_, pieces| total += pieces);
            total
        });
        assert_eq!(total, 4 * EACH);
    }
}
