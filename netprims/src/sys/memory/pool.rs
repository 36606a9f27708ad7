use std::fmt;
use std::mem;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::Arc;
#[cfg(feature = "ring")]
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::free_list::{self, FreeList};
use super::{Mapping, leaked, page};

/// Slots of equal size carved from one mapping. Cloning shares it; the mapping lives until the last slot and the last
/// clone are gone.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

/// One slot, owned: no other value gives access to its bytes. Dropping it makes it free again.
///
/// # Invariants
///
/// `index` was popped from `shared.free` and is pushed back only by this value's `Drop`. It is below
/// `shared.shape.slots`. `start` is where that slot starts in `shared.mapping`, and `len` is at most
/// `shared.shape.slot_len`.
pub(crate) struct Slot {
    shared: Arc<Shared>,
    start: NonNull<u8>,
    index: u32,
    len: u32,
}

// SAFETY: what `start` points to is this value's alone (`index` has one owner), and belongs to the process, not to a
// thread; everything else in it may go to another thread.
unsafe impl Send for Slot {}
// SAFETY: through a shared reference its bytes are only read.
unsafe impl Sync for Slot {}

/// Tells whether a pool is in use.
#[cfg(feature = "ring")]
#[derive(Debug)]
pub(crate) struct WeakPool {
    shared: Weak<Shared>,
}

/// Which engine a pool is registered with, and as which of its fixed buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) engine: u64,
    pub(crate) buffer: u16,
}

/// How a mapping is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    slots: u32,
    slot_len: usize,
    stride: usize,
    /// Every slot has its pages for itself.
    whole_pages: bool,
}

/// # Invariants
///
/// `mapping.len() >= shape.bytes()`, and `free` holds only indices below `shape.slots`.
#[derive(Debug)]
struct Shared {
    mapping: Mapping,
    shape: Shape,
    free: FreeList,
    /// Where it is registered, if it is.
    home: Option<Home>,
    /// Slots taken and not given back.
    outstanding: AtomicU32,
    leaked: AtomicBool,
}

impl Shape {
    /// `None` if the slots do not fit an address space, if there are none, or more than can be numbered.
    #[cfg(any(test, feature = "ring"))]
    pub(crate) fn new(slots: u32, slot_len: u32) -> Option<Self> {
        const PAGE: usize = 4096;
        const CACHE_LINE: usize = 64;
        let slot_len = usize::try_from(slot_len).ok()?;
        // A slot of a page or more starts on one, so that it touches as few pages as it can: the kernel sends at most
        // 17 fragments at a time. A small one at least shares no cache line.
        let align = if slot_len >= PAGE { PAGE } else { CACHE_LINE };
        Self::aligned(slots, slot_len, align)
    }

    /// The same, with pages of its own for every slot.
    pub(crate) fn of_pages(slots: u32, slot_len: u32) -> Option<Self> {
        let slot_len = usize::try_from(slot_len).ok()?;
        let shape = Self::aligned(slots, slot_len, page::size()?)?;
        let whole_pages = true;
        Some(Self {
            whole_pages,
            ..shape
        })
    }

    fn aligned(slots: u32, slot_len: usize, align: usize) -> Option<Self> {
        let stride = slot_len.checked_next_multiple_of(align)?;
        let shape = Self {
            slots,
            slot_len,
            stride,
            whole_pages: false,
        };
        (slots != 0 && slots <= free_list::MOST && slot_len != 0).then_some(shape)?;
        shape.stride.checked_mul(usize::try_from(slots).ok()?)?;
        Some(shape)
    }

    /// The shape with no more slots than fit this many bytes.
    pub(crate) fn within(self, bytes: usize) -> Self {
        let room = u32::try_from(bytes / self.stride).unwrap_or(u32::MAX);
        Self {
            slots: self.slots.min(room),
            ..self
        }
    }

    #[cfg(feature = "ring")]
    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    #[cfg(feature = "ring")]
    pub(crate) fn slot_len(&self) -> usize {
        self.slot_len
    }

    /// From one slot's start to the next one's.
    #[cfg(feature = "ring")]
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The bytes all slots take. It does not overflow: `new` has tried.
    #[inline]
    pub(crate) fn bytes(&self) -> NonZeroUsize {
        let slots = usize::try_from(self.slots).unwrap_or(usize::MAX);
        NonZeroUsize::new(self.stride.saturating_mul(slots)).unwrap_or(NonZeroUsize::MIN)
    }
}

impl Pool {
    /// Divides a mapping, into fewer slots than the shape has if it is too small for all.
    pub(crate) fn new(mapping: Mapping, shape: Shape, home: Option<Home>) -> Self {
        let shape = shape.within(mapping.len());
        let free = FreeList::full(shape.slots);
        let shared = Shared {
            mapping,
            shape,
            free,
            home,
            outstanding: AtomicU32::new(0),
            leaked: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes a free slot, its length that of the whole slot.
    #[inline]
    pub(crate) fn take(&self) -> Option<Slot> {
        let index = self.shared.free.pop()?;
        self.shared.outstanding.fetch_add(1, Ordering::Relaxed);
        Some(Slot {
            shared: Arc::clone(&self.shared),
            // SAFETY: `free` holds only indices of slots (invariant).
            start: unsafe { self.shared.start(index) },
            index,
            // A shape's length comes from a u32.
            len: u32::try_from(self.shared.shape.slot_len).unwrap_or(0),
        })
    }

    /// Whether the pool is still in use, without keeping it so.
    #[cfg(feature = "ring")]
    pub(crate) fn downgrade(&self) -> WeakPool {
        WeakPool {
            shared: Arc::downgrade(&self.shared),
        }
    }

    pub(crate) fn slots(&self) -> u32 {
        self.shared.shape.slots
    }

    /// Slots that are taken: by their owners, in flight, forgotten or leaked.
    pub(crate) fn outstanding(&self) -> u32 {
        self.shared.outstanding.load(Ordering::Relaxed)
    }

    pub(crate) fn slot_len(&self) -> usize {
        self.shared.shape.slot_len
    }
}

impl Shared {
    /// Where a slot starts in the mapping.
    #[inline]
    fn offset(&self, index: u32) -> usize {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        index.saturating_mul(self.shape.stride)
    }

    /// Where the bytes of a slot start.
    ///
    /// # Safety
    ///
    /// `index` is below `shape.slots`.
    #[inline]
    unsafe fn start(&self, index: u32) -> NonNull<u8> {
        let offset = self.offset(index);
        // SAFETY: index < slots (the caller's promise), so offset + stride <= slots * stride <= mapping.len()
        // (invariant): the result is inside the one mapping that `base` starts, and the offset is below isize::MAX
        // because mmap gives no larger mapping.
        unsafe { self.mapping.base().add(offset) }
    }
}

#[cfg(feature = "ring")]
impl WeakPool {
    /// Whether a clone of the pool or one of its slots still exists.
    pub(crate) fn in_use(&self) -> bool {
        self.shared.strong_count() != 0
    }

    /// The pool, if it is in use, to look at its slots.
    #[cfg(test)]
    pub(crate) fn upgrade(&self) -> Option<Pool> {
        let shared = self.shared.upgrade()?;
        Some(Pool { shared })
    }
}

impl Slot {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `start` points to `slot_len >= len` initialised bytes (mapped memory is zeroed or written). The slot
        // has a single owner, so while `self` is borrowed shared nobody writes them: other slots do not overlap, and
        // the kernel only reads from a pool. They stay mapped for the borrow because `self.shared` owns the mapping.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len()) }
    }

    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; and with `self` borrowed exclusively nobody else reads or writes them. The kernel does
        // not read them either: a slot it may read is owned by the table of sends in flight, which lends it to nobody.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len()) }
    }

    /// How many bytes count.
    #[inline]
    fn len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(0)
    }

    /// How many bytes count, as a request says it.
    #[cfg(feature = "ring")]
    #[inline]
    pub(crate) fn request_len(&self) -> u32 {
        self.len
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.shared.shape.slot_len
    }

    /// Sets how many bytes count; false, and nothing changed, if the slot is shorter.
    #[must_use]
    #[inline]
    pub(crate) fn set_len(&mut self, len: usize) -> bool {
        match u32::try_from(len) {
            Ok(fitting) if len <= self.capacity() => {
                self.len = fitting;
                true
            }
            _ => false,
        }
    }

    #[cfg(feature = "ring")]
    #[inline]
    pub(crate) fn home(&self) -> Option<Home> {
        self.shared.home
    }

    /// Gives the slot fresh, zeroed pages; who refers to the old ones keeps them as they are. False, and nothing changed,
    /// if that cannot be: the slot shares a page with others, it is registered (a ring goes on using the pages it
    /// pinned), or the kernel refuses.
    pub(super) fn renew(&mut self) -> bool {
        if !self.shared.shape.whole_pages || self.shared.home.is_some() {
            return false;
        }
        // SAFETY: the range is this slot's stride, inside the mapping (as in `Shared::start`), and whole pages, since the stride
        // of such a shape is a multiple of the page's size. Nobody else uses it: slots do not overlap, and this one is
        // borrowed exclusively.
        unsafe {
            self.shared
                .mapping
                .renew(self.shared.offset(self.index), self.shared.shape.stride)
        }
    }

    /// The address for a request to the kernel.
    #[cfg(any(test, feature = "ring"))]
    #[inline]
    pub(crate) fn address(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// Gives the slot up for good, because the kernel may still read it: its mapping is never unmapped, and counted.
    pub(crate) fn leak(self) {
        if !self.shared.leaked.swap(true, Ordering::Relaxed) {
            leaked::count(self.shared.mapping.len());
        }
        // The slot's share of the pool is what keeps the mapping from being unmapped.
        mem::forget(self);
    }

    /// Which of the pool's slots it is.
    #[cfg(all(test, feature = "ring"))]
    pub(crate) fn place(&self) -> u32 {
        self.index
    }

    /// The seeded defect: nothing is mapped where the slot was. For slots of whole pages.
    #[cfg(all(test, feature = "ring"))]
    pub(super) fn unmap_early(&self) {
        // SAFETY: the range is this slot's stride, inside the mapping (as in `Shared::start`). Nobody in this process has a
        // reference to it: the test sees to that.
        unsafe {
            self.shared
                .mapping
                .unmap_early(self.shared.offset(self.index), self.shared.shape.stride)
        }
    }

    /// The seeded defect: the slot can be taken again although it has an owner.
    #[cfg(all(test, feature = "ring"))]
    pub(super) fn free_early(&self) {
        self.shared.free.push(self.index);
    }
}

impl Drop for Slot {
    #[inline]
    fn drop(&mut self) {
        // Counted before the slot can be taken again, or the count of a pool in use could pass through zero.
        self.shared.outstanding.fetch_sub(1, Ordering::Relaxed);
        self.shared.free.push(self.index);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("index", &self.index)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const HOME: Option<Home> = Some(Home {
        engine: 0,
        buffer: 0,
    });

    fn pool(slots: u32, slot_len: u32) -> Pool {
        let shape = Shape::new(slots, slot_len).unwrap();
        Pool::new(Mapping::anonymous(shape.bytes()).unwrap(), shape, HOME)
    }

    #[rstest]
    #[case(0, 10)]
    #[case(10, 0)]
    #[case(u32::MAX, 10)]
    #[case(1 << 24, 10)]
    fn shapes_without_slots_are_refused(#[case] slots: u32, #[case] slot_len: u32) {
        assert!(Shape::new(slots, slot_len).is_none());
    }

    #[test]
    fn a_mapping_that_is_too_small_has_fewer_slots() {
        let mapping = Mapping::anonymous(NonZeroUsize::new(4096).unwrap()).unwrap();
        let pool = Pool::new(mapping, Shape::new(2, 4096).unwrap(), HOME);
        assert_eq!(pool.slots(), 1);
        let _only = pool.take().unwrap();
        assert!(pool.take().is_none());
    }

    #[test]
    fn the_slots_that_are_out_are_counted() {
        let pool = pool(3, 16);
        let (first, second) = (pool.take().unwrap(), pool.take().unwrap());
        assert_eq!(pool.outstanding(), 2);
        drop(first);
        mem::forget(second);
        assert_eq!(pool.outstanding(), 1, "a forgotten slot is out for good");
    }

    #[rstest]
    #[case(5, 1)]
    #[case(3, 64)]
    #[case(4, 5000)]
    fn slots_do_not_overlap(#[case] slots: u32, #[case] slot_len: u32) {
        let pool = pool(slots, slot_len);
        let mut held: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(held.len(), slots as usize);
        for (mark, slot) in (1..).zip(&mut held) {
            assert!(
                slot.bytes().iter().all(|byte| *byte == 0),
                "fresh memory is zeroed"
            );
            slot.bytes_mut().fill(mark);
        }
        for (mark, slot) in (1..).zip(&held) {
            assert!(slot.bytes().iter().all(|byte| *byte == mark));
        }
    }

    #[test]
    fn a_dropped_slot_can_be_taken_again_from_any_thread() {
        let pool = pool(1, 16);
        let mut slot = pool.take().unwrap();
        assert!(pool.take().is_none());
        slot.bytes_mut()[0] = 7;
        std::thread::spawn(move || drop(slot)).join().unwrap();
        assert_eq!(pool.take().unwrap().bytes()[0], 7);
    }

    #[test]
    fn a_slot_outlives_its_pool() {
        let mut slot = pool(1, 16).take().unwrap();
        slot.bytes_mut().fill(1);
        assert_eq!(slot.bytes(), [1; 16]);
    }

    #[test]
    fn the_length_cannot_pass_the_slot() {
        let mut slot = pool(1, 16).take().unwrap();
        assert!(slot.set_len(3));
        assert!(!slot.set_len(17));
        assert_eq!(slot.bytes().len(), 3);
    }

    #[rstest]
    #[case::small(3, 1)]
    #[case::a_page_and_a_bit(3, 4097)]
    fn a_slot_with_pages_of_its_own_can_have_fresh_ones(#[case] slots: u32, #[case] slot_len: u32) {
        let shape = Shape::of_pages(slots, slot_len).unwrap();
        let pool = Pool::new(Mapping::anonymous(shape.bytes()).unwrap(), shape, None);
        let mut held: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(held.len(), slots as usize);
        held.iter_mut().for_each(|slot| slot.bytes_mut().fill(7));
        assert!(held[1].renew());
        for (index, slot) in held.iter().enumerate() {
            let want = if index == 1 { 0 } else { 7 };
            assert!(slot.bytes().iter().all(|byte| *byte == want), "{index}");
        }
    }

    #[rstest]
    #[case::shares_a_page(Shape::new(2, 16).unwrap(), None)]
    #[case::registered(Shape::of_pages(2, 16).unwrap(), HOME)]
    fn a_slot_that_others_refer_to_keeps_its_pages(
        #[case] shape: Shape,
        #[case] home: Option<Home>,
    ) {
        let pool = Pool::new(Mapping::anonymous(shape.bytes()).unwrap(), shape, home);
        let mut slot = pool.take().unwrap();
        slot.bytes_mut().fill(7);
        assert!(!slot.renew());
        assert_eq!(slot.bytes(), [7; 16]);
    }

    #[test]
    fn leaking_counts_the_mapping_once_and_keeps_it() {
        let pool = pool(2, 4096);
        let before = leaked::leaked_bytes();
        pool.take().unwrap().leak();
        pool.take().unwrap().leak();
        // Other tests of this process leak too, so this is a lower bound.
        assert!(leaked::leaked_bytes() - before >= 8192);
        let mapping = Arc::downgrade(&pool.shared);
        drop(pool);
        assert!(
            mapping.upgrade().is_some(),
            "the leaked slots keep the mapping"
        );
    }
}
