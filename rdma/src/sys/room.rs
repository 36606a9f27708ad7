//! How much of a completion queue is promised to queue pairs.
//!
//! Every work request may produce a completion, so a queue pair reserves as many entries as its
//! queues are deep, and an overrun cannot happen. Entries of a destroyed queue pair may still lie
//! in the CQ: they are free again only after later polls have shown that they are gone.

use std::sync::Arc;

use super::tag::TagLease;

/// There are not enough entries left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom {
    pub(crate) wanted: u32,
    pub(crate) free: u32,
    pub(crate) capacity: u32,
}

/// The account of one CQ.
#[derive(Debug)]
pub(crate) struct Ledger {
    capacity: u32,
    reserved: u32,
    retired: Vec<Retired>,
    epoch: u64,
}

/// What a destroyed queue pair still occupies.
#[derive(Debug)]
struct Retired {
    epoch: u64,
    entries: u32,
    /// Kept only to be dropped: the tag is in use until then.
    _tag: Arc<TagLease>,
}

impl Ledger {
    pub(crate) fn new(capacity: u32) -> Self {
        Ledger {
            capacity,
            reserved: 0,
            retired: Vec::new(),
            epoch: 0,
        }
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(crate) fn reserve(&mut self, wanted: u32) -> Result<(), NoRoom> {
        let free = self.capacity.saturating_sub(self.reserved);
        if wanted > free {
            return Err(NoRoom {
                wanted,
                free,
                capacity: self.capacity,
            });
        }
        self.reserved += wanted;
        Ok(())
    }

    /// Gives back entries that no completion was ever written to.
    pub(crate) fn cancel(&mut self, entries: u32) {
        self.reserved = self.reserved.saturating_sub(entries);
    }

    /// Notes that a queue pair is destroyed: nothing new will arrive, something old may be there.
    /// Returns the number by which [`settle`](Self::settle) knows it.
    pub(crate) fn retire(&mut self, entries: u32, tag: Arc<TagLease>) -> u64 {
        self.epoch += 1;
        self.retired.push(Retired {
            epoch: self.epoch,
            entries,
            _tag: tag,
        });
        self.epoch
    }

    /// Frees what was retired up to `epoch`: none of its completions is left.
    pub(crate) fn settle(&mut self, epoch: u64) {
        let reserved = &mut self.reserved;
        self.retired.retain(|retired| {
            let stays = retired.epoch > epoch;
            if !stays {
                *reserved = reserved.saturating_sub(retired.entries);
            }
            stays
        });
    }

    #[cfg(test)]
    pub(crate) fn reserved(&self) -> u32 {
        self.reserved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_does_not_fit_and_says_what_would() {
        let mut ledger = Ledger::new(10);
        assert_eq!(ledger.reserve(7), Ok(()));
        assert_eq!(
            ledger.reserve(4),
            Err(NoRoom {
                wanted: 4,
                free: 3,
                capacity: 10
            })
        );
        assert_eq!(
            ledger.reserve(u32::MAX),
            Err(NoRoom {
                wanted: u32::MAX,
                free: 3,
                capacity: 10
            })
        );
        ledger.cancel(7);
        assert_eq!(ledger.reserve(10), Ok(()));
    }

    #[test]
    fn a_destroyed_queue_pair_keeps_its_room_and_tag_until_the_cq_was_empty() {
        let mut ledger = Ledger::new(10);
        let lease = TagLease::take().unwrap();
        ledger.reserve(10).unwrap();
        let first = ledger.retire(6, Arc::clone(&lease));
        let second = ledger.retire(4, Arc::clone(&lease));
        assert_eq!(ledger.reserve(1).unwrap_err().free, 0);
        ledger.settle(first);
        assert_eq!(ledger.reserved(), 4);
        assert_eq!(Arc::strong_count(&lease), 2);
        ledger.settle(second);
        assert_eq!(ledger.reserved(), 0);
        assert_eq!(Arc::strong_count(&lease), 1);
    }

    proptest! {
        #[test]
        fn what_is_promised_never_exceeds_the_capacity(capacity in 0..50u32, steps in prop::collection::vec((0..3u8, 0..30u32), 0..60)) {
            let mut ledger = Ledger::new(capacity);
            let (mut live, mut dead) = (Vec::new(), Vec::new());
            for (kind, n) in steps {
                match kind {
                    0 => if ledger.reserve(n).is_ok() { live.push(n) },
                    1 => if let Some(n) = live.pop() {
                        dead.push((ledger.retire(n, TagLease::take().unwrap()), n));
                    },
                    _ => if let Some(&(epoch, _)) = dead.get(n as usize % dead.len().max(1)) {
                        ledger.settle(epoch);
                        dead.retain(|&(other, _)| other > epoch);
                    },
                }
                let expected = live.iter().sum::<u32>() + dead.iter().map(|&(_, n)| n).sum::<u32>();
                prop_assert_eq!(ledger.reserved(), expected);
                prop_assert!(expected <= capacity);
            }
        }
    }
}
