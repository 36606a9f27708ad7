use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::abi::{Counters, Offsets, RefillEntry};
use crate::sys::memory::{Mapping, page_size};

/// The ring of pages that go back to the kernel. This process writes entries and the tail, the kernel the head.
///
/// # Invariants
///
/// `head`, `tail`, the `count` entries from `entries` on and the counters are places in the region, each aligned for its
/// integers. `count` is a power of two.
#[derive(Debug)]
pub(crate) struct Refill {
    region: Mapping,
    head: usize,
    tail: usize,
    entries: usize,
    count: u32,
    counters: Option<usize>,
    /// How many entries were ever written, wrapping.
    written: u32,
    /// How many of them the kernel was told of.
    published: u32,
}

/// Memory for a refill ring that is not registered yet.
#[derive(Debug)]
pub(super) struct Unregistered {
    pub(super) region: Mapping,
    count: u32,
}

/// The most entries the kernel takes (`IO_RQ_MAX_ENTRIES` in `io_uring/zcrx.c`).
const MOST_ENTRIES: u32 = 32_768;

/// The end of the region, where the statistics go. As long as their alignment may be at most.
pub(super) const COUNTERS_ROOM: usize = 64;

const ENTRY: usize = size_of::<RefillEntry>();

impl Unregistered {
    /// Maps memory for at least `entries`, as far as the kernel takes as many.
    pub(super) fn new(entries: u32) -> io::Result<Self> {
        let count = entries.clamp(1, MOST_ENTRIES).next_power_of_two();
        let too_large = || io::Error::from_raw_os_error(libc::ENOMEM);
        let page = page_size().ok_or_else(too_large)?;
        let entries = usize::try_from(count).map_err(|_| too_large())? * ENTRY;
        // The kernel's header is shorter than a page.
        let len = (page + entries + COUNTERS_ROOM).next_multiple_of(page);
        let len = NonZeroUsize::new(len).ok_or_else(too_large)?;
        let region = Mapping::anonymous(len)?;
        Ok(Self { region, count })
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Where the statistics are to go.
    pub(super) fn counters_offset(&self) -> usize {
        self.region.len() - COUNTERS_ROOM
    }

    /// The ring as the kernel has laid it out; `None` if that is not in the region.
    pub(super) fn registered(self, count: u32, offsets: &Offsets, counts: bool) -> Option<Refill> {
        if count != self.count {
            return None;
        }
        let end = self.counters_offset();
        let [head, tail, entries] =
            [offsets.head, offsets.tail, offsets.entries].map(usize::try_from);
        let (head, tail, entries) = (head.ok()?, tail.ok()?, entries.ok()?);
        let holds = |start: usize, len: usize, alignment: usize| {
            start % alignment == 0 && start.checked_add(len).is_some_and(|last| last <= end)
        };
        let all = usize::try_from(count).ok()?.checked_mul(ENTRY)?;
        let fits = holds(head, 4, 4) && holds(tail, 4, 4) && holds(entries, all, 8);
        fits.then_some(Refill {
            head,
            tail,
            entries,
            count,
            counters: counts.then_some(end),
            region: self.region,
            written: 0,
            published: 0,
        })
    }
}

impl Refill {
    /// How many more entries can be written.
    pub(super) fn room(&self) -> u32 {
        self.count - self.used()
    }

    /// How many entries the kernel was told of and has not taken.
    pub(crate) fn waiting(&self) -> u32 {
        self.used() - self.written.wrapping_sub(self.published)
    }

    /// How many entries were ever written, wrapping.
    pub(crate) fn written(&self) -> u32 {
        self.written
    }

    /// Writes an entry. The kernel sees it once it is [published](Refill::publish). False, and nothing is written, if
    /// there is no room.
    ///
    /// # Safety
    ///
    /// The kernel received into the page at `offset`, nobody reads what it received any more, and no entry was written
    /// for it before.
    pub(super) unsafe fn write(&mut self, offset: u64, len: u32) -> bool {
        if self.room() == 0 {
            return false;
        }
        let index = usize::try_from(self.written & (self.count - 1)).unwrap_or(0);
        let at = self.entries + index * ENTRY;
        // The third field is padding, and zero like all of the region that nobody has written.
        self.long(at).store(offset, Ordering::Relaxed);
        self.word(at + 8).store(len, Ordering::Relaxed);
        self.written = self.written.wrapping_add(1);
        true
    }

    /// Tells the kernel of what was written: one store for all.
    pub(crate) fn publish(&mut self) {
        if self.published != self.written {
            self.word(self.tail).store(self.written, Ordering::Release);
            self.published = self.written;
        }
    }

    /// What the kernel has counted, if it counts.
    pub(crate) fn counters(&self) -> Option<Counters> {
        let at = self.counters?;
        Some(Counters {
            copies: self.long(at).load(Ordering::Relaxed),
            bytes: self.long(at + 8).load(Ordering::Relaxed),
        })
    }

    /// Entries that were written and that the kernel has not taken. A head that cannot be is one that took nothing.
    fn used(&self) -> u32 {
        let head = self.word(self.head).load(Ordering::Acquire);
        self.written.wrapping_sub(head).min(self.count)
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        debug_assert!(at % 4 == 0 && at + 4 <= self.region.len());
        // SAFETY: every caller gives a place of the invariants, which lies in the region.
        let address = unsafe { self.region.base().add(at) };
        // SAFETY: the place is aligned and mapped, readable and writable, for as long as the borrowed region is; in this
        // process it is reached through atomics only, and the kernel accesses it as it does memory it shares.
        unsafe { AtomicU32::from_ptr(address.cast().as_ptr()) }
    }

    fn long(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at % 8 == 0 && at + 8 <= self.region.len());
        // SAFETY: every caller gives a place of the invariants, which lies in the region.
        let address = unsafe { self.region.base().add(at) };
        // SAFETY: as in `word`.
        unsafe { AtomicU64::from_ptr(address.cast().as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const OFFSETS: Offsets = Offsets {
        head: 0,
        tail: 4,
        entries: 64,
        reserved: 0,
        reserved_more: [0; 2],
    };

    fn ring(entries: u32) -> Refill {
        let memory = Unregistered::new(entries).unwrap();
        let count = memory.count();
        memory.registered(count, &OFFSETS, true).unwrap()
    }

    fn write(ring: &mut Refill, offset: u64) -> bool {
        // SAFETY: there is no kernel.
        unsafe { ring.write(offset, 4096) }
    }

    /// What the kernel would read now.
    fn published(ring: &Refill) -> Vec<(u64, u32, u32)> {
        let head = ring.word(ring.head).load(Ordering::Relaxed);
        let tail = ring.word(ring.tail).load(Ordering::Relaxed);
        let mut seen = Vec::new();
        let mut next = head;
        while next != tail {
            let at = ring.entries + (next & (ring.count - 1)) as usize * ENTRY;
            seen.push((
                ring.long(at).load(Ordering::Relaxed),
                ring.word(at + 8).load(Ordering::Relaxed),
                ring.word(at + 12).load(Ordering::Relaxed),
            ));
            next = next.wrapping_add(1);
        }
        seen
    }

    fn take(ring: &Refill, count: u32) {
        let head = ring.word(ring.head);
        head.store(
            head.load(Ordering::Relaxed).wrapping_add(count),
            Ordering::Relaxed,
        );
    }

    #[rstest]
    #[case(0, 1)]
    #[case(5, 8)]
    #[case(32_768, 32_768)]
    #[case(u32::MAX, 32_768)]
    fn a_ring_has_as_many_entries_as_the_kernel_takes(#[case] entries: u32, #[case] want: u32) {
        assert_eq!(ring(entries).room(), want);
    }

    #[test]
    fn entries_are_seen_when_they_are_published() {
        let mut ring = ring(4);
        assert!(write(&mut ring, 4096) && write(&mut ring, 8192));
        assert_eq!(published(&ring), []);
        ring.publish();
        assert_eq!(published(&ring), [(4096, 4096, 0), (8192, 4096, 0)]);
        assert_eq!((ring.room(), ring.waiting()), (2, 2));
    }

    #[test]
    fn a_full_ring_takes_no_more_until_the_kernel_has_taken_some() {
        let mut ring = ring(2);
        assert!(write(&mut ring, 0) && write(&mut ring, 1) && !write(&mut ring, 2));
        ring.publish();
        take(&ring, 1);
        assert!(write(&mut ring, 2) && !write(&mut ring, 3));
        ring.publish();
        assert_eq!(published(&ring), [(1, 4096, 0), (2, 4096, 0)]);
    }

    #[test]
    fn what_the_kernel_has_not_taken_waits() {
        let mut ring = ring(4);
        assert!(write(&mut ring, 0) && write(&mut ring, 1));
        assert_eq!(ring.waiting(), 0, "the kernel knows of none");
        ring.publish();
        assert_eq!(ring.waiting(), 2);
        take(&ring, 1);
        assert_eq!((ring.waiting(), ring.written()), (1, 2));
    }

    #[test]
    fn a_head_that_cannot_be_is_not_believed() {
        let mut ring = ring(2);
        // Further than what was written.
        take(&ring, 5);
        assert_eq!(ring.room(), 0);
        assert!(!write(&mut ring, 0));
    }

    #[rstest]
    #[case::head_outside(Offsets { head: 1 << 20, ..OFFSETS })]
    #[case::tail_outside(Offsets { tail: u32::MAX - 3, ..OFFSETS })]
    #[case::head_askew(Offsets { head: 2, ..OFFSETS })]
    #[case::entries_askew(Offsets { entries: 68, ..OFFSETS })]
    #[case::entries_over_the_statistics(Offsets { entries: 8192 - 64 - 3 * 16, ..OFFSETS })]
    #[case::entries_outside(Offsets { entries: u32::MAX - 7, ..OFFSETS })]
    fn a_layout_outside_the_region_is_refused(#[case] offsets: Offsets) {
        let memory = Unregistered::new(4).unwrap();
        assert!(memory.registered(4, &offsets, true).is_none());
    }

    #[test]
    fn another_number_of_entries_is_refused() {
        let memory = Unregistered::new(4).unwrap();
        assert!(memory.registered(8, &OFFSETS, true).is_none());
    }

    #[test]
    fn statistics_are_read_from_the_end_of_the_region() {
        let ring = ring(4);
        let at = ring.region.len() - COUNTERS_ROOM;
        ring.long(at).store(3, Ordering::Relaxed);
        ring.long(at + 8).store(9000, Ordering::Relaxed);
        let counted = Counters {
            copies: 3,
            bytes: 9000,
        };
        assert_eq!(ring.counters(), Some(counted));
    }

    proptest! {
        /// Against a queue: the kernel sees what was written, in order, and nothing is overwritten, also where the count
        /// of entries wraps.
        #[test]
        fn the_kernel_sees_every_entry_once_and_in_order(
            start in prop_oneof![Just(0_u32), Just(u32::MAX - 3)],
            steps in prop::collection::vec((0_u32..7, any::<bool>(), 0_u32..7), 0..60),
        ) {
            let mut ring = ring(4);
            (ring.written, ring.published) = (start, start);
            ring.word(ring.head).store(start, Ordering::Relaxed);
            ring.word(ring.tail).store(start, Ordering::Relaxed);
            let (mut next, mut seen) = (0_u64, 0_u64);
            for (writes, publishes, takes) in steps {
                for _ in 0..writes {
                    let has_room = next - seen < 4;
                    prop_assert_eq!(write(&mut ring, next), has_room);
                    next += u64::from(has_room);
                }
                if publishes {
                    ring.publish();
                }
                let visible = published(&ring);
                for (offset, _, padding) in visible.iter().take(takes as usize) {
                    prop_assert_eq!((*offset, *padding), (seen, 0));
                    seen += 1;
                    take(&ring, 1);
                }
            }
            ring.publish();
            prop_assert_eq!(published(&ring).len() as u64, next - seen);
        }
    }
}
