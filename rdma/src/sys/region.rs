//! Registered memory that only this host may use, cut into slots.

use std::mem::{self, ManuallyDrop};
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::Arc;

use super::buf::Buf;
use super::errno::Errno;
use super::ffi;
use super::free_list::{self, FreeList};
use super::leaks::{Leak, leaked};
use super::memory::Memory;
use super::pd::PdHandle;

/// Slots start at multiples of a cache line, so that two of them never share one.
const ALIGN: usize = 64;

/// How many slots, and how large.
///
/// # Invariants
///
/// `len` is `count` times `stride` and at most `isize::MAX`; `stride` is `slot_size` or more;
/// `count` is at most [`Shape::MAX_COUNT`], `slot_size` at most [`Shape::MAX_SLOT`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    count: u32,
    slot_size: u32,
    stride: usize,
    len: NonZeroUsize,
}

impl Shape {
    /// The most slots of a region.
    pub(crate) const MAX_COUNT: u32 = free_list::MAX_COUNT;
    /// The largest slot. Messages end at 2^31 bytes, and lengths from there on are negative to some
    /// drivers.
    pub(crate) const MAX_SLOT: u32 = (1 << 31) - 1;

    /// `None`: nothing, or more than can be.
    pub(crate) fn new(count: u32, slot_size: u32) -> Option<Self> {
        if count > Self::MAX_COUNT || slot_size == 0 || slot_size > Self::MAX_SLOT {
            return None;
        }
        let stride = usize::try_from(slot_size)
            .ok()?
            .checked_next_multiple_of(ALIGN)?;
        let slots = usize::try_from(count).ok()?;
        let len = NonZeroUsize::new(stride.checked_mul(slots)?)?;
        isize::try_from(len.get()).ok()?;
        Some(Shape {
            count,
            slot_size,
            stride,
            len,
        })
    }

    /// How many bytes that is, with what lies between the slots.
    pub(crate) fn bytes(self) -> usize {
        self.len.get()
    }
}

/// A memory region registered with `IBV_ACCESS_LOCAL_WRITE` and nothing else: the NIC writes to it
/// for this host's own receives, and refuses every remote access.
///
/// # Invariants
///
/// `memory` holds `count` slots, `stride` apart, `slot_size` usable bytes each (`slot_size <=
/// stride`), and is covered by `raw`. A slot number that `free` does not hold belongs to exactly
/// one [`Buf`]. The memory is unmapped only after `dereg_mr` returned `Ok`; every `Buf` holds an
/// `Arc` of this.
#[derive(Debug)]
pub(crate) struct Region {
    raw: NonNull<ffi::Mr>,
    lkey: u32,
    memory: ManuallyDrop<Memory>,
    pd: Arc<PdHandle>,
    free: FreeList,
    count: u32,
    slot_size: u32,
    stride: usize,
}

// SAFETY: the region's own fields are constant but for `free`, which is atomic; the slots are
// handed out to one owner each.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Maps and registers memory of this shape.
    pub(crate) fn register(pd: &Arc<PdHandle>, shape: Shape) -> Result<Arc<Self>, Errno> {
        let Shape {
            count,
            slot_size,
            stride,
            len,
        } = shape;
        let memory = ManuallyDrop::new(Memory::map(len)?);
        let verbs = pd.context().verbs();
        // SAFETY: the domain is allocated; the range is the whole of `memory`, which is unmapped
        // only below (when nothing was registered) or after `dereg_mr` returned `Ok` (in `Drop`).
        let registered = unsafe {
            verbs.reg_mr(
                pd.raw(),
                memory.start(),
                memory.len(),
                ffi::ACCESS_LOCAL_WRITE,
            )
        };
        match registered {
            Ok(raw) => {
                // SAFETY: just registered, so its fields may be read.
                let lkey = unsafe { (*raw.as_ptr()).lkey };
                let (pd, free) = (Arc::clone(pd), FreeList::full(count));
                Ok(Arc::new(Region {
                    raw,
                    lkey,
                    memory,
                    pd,
                    free,
                    count,
                    slot_size,
                    stride,
                }))
            }
            Err(errno) => {
                drop(ManuallyDrop::into_inner(memory));
                Err(errno)
            }
        }
    }

    /// A free slot.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Buf> {
        let slot = self.free.pop()?;
        let offset = usize::try_from(slot).ok()?.checked_mul(self.stride)?;
        // SAFETY: `slot < count`, so the slot lies inside the one mapping (invariant).
        let start = unsafe { self.memory.start().add(offset) };
        // SAFETY: `start` is the start of a slot of `slot_size` initialised bytes (mmap zeroes,
        // everything later overwrites); popping it made this the only holder.
        Some(unsafe { Buf::new(start, self.slot_size, slot, Arc::clone(self)) })
    }

    /// Takes a slot back.
    ///
    /// # Safety
    /// The caller is the one `Buf` that holds the slot, and ends with this call.
    pub(super) unsafe fn give_back(&self, slot: u32) {
        self.free.push(slot);
    }

    #[inline]
    pub(super) fn lkey(&self) -> u32 {
        self.lkey
    }

    #[inline]
    pub(super) fn pd(&self) -> &Arc<PdHandle> {
        &self.pd
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    #[inline]
    pub(crate) fn slot_size(&self) -> u32 {
        self.slot_size
    }

    /// The slots nobody holds, through the second mapping.
    #[cfg(test)]
    pub(crate) fn free_slots(&self) -> Vec<(u32, NonNull<u8>, usize)> {
        let slot_at = |slot: u32| {
            // SAFETY: as in `take`, for the second mapping of the same pages.
            let start = unsafe { self.memory.mirror().add(slot as usize * self.stride) };
            (slot, start, self.slot_size as usize)
        };
        self.free.free().into_iter().map(slot_at).collect()
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: registered until here.
        let result = unsafe { self.pd.context().verbs().dereg_mr(self.raw) };
        if result.is_ok() {
            // SAFETY: dropped only here, and not used afterwards; no `Buf` is left (each holds an
            // `Arc` of this), and the NIC has no right to the pages any more (promise 4 of
            // `Verbs`).
            unsafe { ManuallyDrop::drop(&mut self.memory) };
        } else {
            // The NIC may still write there: the pages stay mapped, and the domain stays.
            leaked(Leak::Region);
            leaked(Leak::Bytes(self.memory.len()));
            mem::forget(Arc::clone(&self.pd));
        }
    }
}
