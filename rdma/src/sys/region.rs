//! Registered memory that only this host may use, cut into slots.

use std::num::NonZeroUsize;
#[cfg(test)]
use std::ptr::NonNull;
use std::sync::Arc;

use super::access::AccessOptions;
use super::backing::Backing;
use super::buf::Buf;
#[cfg(test)]
use super::defect::{Defect, seeded};
use super::errno::Errno;
use super::ffi;
use super::free_list::{self, FreeList};
use super::pd::PdHandle;
use super::registered::Registered;

#[cfg(test)]
const IBV_ACCESS_REMOTE_WRITE: std::ffi::c_int = 1 << 1;

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

    /// As many slots of this size, one right after the other, as memory of `len` bytes holds. `None`: none,
    /// or more than can be.
    pub(crate) fn within(len: usize, slot_size: u32) -> Option<Self> {
        let stride = usize::try_from(slot_size).ok()?;
        let slots = len.checked_div(stride)?;
        let count = u32::try_from(slots).ok()?;
        if count > Self::MAX_COUNT || slot_size > Self::MAX_SLOT {
            return None;
        }
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
    pub(crate) fn bytes(self) -> NonZeroUsize {
        self.len
    }
}

/// A memory region registered with `IBV_ACCESS_LOCAL_WRITE` and nothing else: the NIC writes to it
/// for this host's own receives, and refuses every remote access.
///
/// # Invariants
///
/// `registered` holds `count` slots, `stride` apart, `slot_size` usable bytes each (`slot_size <=
/// stride`). A slot number that `free` does not hold belongs to exactly one [`Buf`], which holds an
/// `Arc` of this.
#[derive(Debug)]
pub(crate) struct Region {
    registered: Registered,
    free: FreeList,
    count: u32,
    slot_size: u32,
    stride: usize,
}

impl Region {
    /// Registers memory and cuts it into this shape; gives it back if that fails, also because it is
    /// too small. `options` are bits of `enum ibv_access_flags` that give nobody a right.
    pub(crate) fn register(
        pd: &Arc<PdHandle>,
        shape: Shape,
        backing: Backing,
        options: AccessOptions,
    ) -> Result<Arc<Self>, (Errno, Backing)> {
        if backing.len() < shape.len.get() {
            return Err((Errno::new(libc::EINVAL), backing));
        }
        let access = ffi::ACCESS_LOCAL_WRITE | options.bits();
        #[cfg(test)]
        let access = match seeded(Defect::ExposeLocalMemory) {
            true => access | IBV_ACCESS_REMOTE_WRITE,
            false => access,
        };
        Ok(Arc::new(Region {
            registered: Registered::new(pd, backing, access)?,
            free: FreeList::full(shape.count),
            count: shape.count,
            slot_size: shape.slot_size,
            stride: shape.stride,
        }))
    }

    /// Deregisters the memory and gives it back. `Ok(None)` is not to be had of a region in use.
    ///
    /// Gives the region back while somebody else has it: a buffer, or a clone.
    pub(crate) fn into_backing(
        self: Arc<Self>,
    ) -> Result<Result<Option<Backing>, Errno>, Arc<Self>> {
        Arc::try_unwrap(self).map(|region| region.registered.into_backing())
    }

    /// What the memory is.
    pub(crate) fn backing(&self) -> Option<&Backing> {
        self.registered.backing()
    }

    /// A free slot.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Buf> {
        let slot = self.free.pop()?;
        let offset = usize::try_from(slot).ok()?.checked_mul(self.stride)?;
        // SAFETY: `slot < count`, so the slot lies inside the one mapping (invariant).
        let start = unsafe { self.registered.start().add(offset) };
        // SAFETY: `start` is the start of a slot of `slot_size` initialised bytes (they were so at
        // first, and everything later overwrites); popping it made this the only holder.
        Some(unsafe { Buf::new(start, self.slot_size, slot, Arc::clone(self)) })
    }

    /// Takes a slot back.
    ///
    /// # Safety
    /// The caller is the one `Buf` that holds the slot, and ends with this call.
    pub(super) unsafe fn give_back(&self, slot: u32) {
        #[cfg(test)]
        self.scribble(slot);
        self.free.push(slot);
    }

    #[inline]
    pub(super) fn lkey(&self) -> u32 {
        self.registered.lkey()
    }

    #[inline]
    pub(super) fn pd(&self) -> &Arc<PdHandle> {
        self.registered.pd()
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
        let slots = self.free.free().into_iter();
        slots.map(|slot| self.mirrored(slot)).collect()
    }

    /// A slot, through the second mapping.
    #[cfg(test)]
    pub(super) fn mirrored(&self, slot: u32) -> (u32, NonNull<u8>, usize) {
        let mirror = self.registered.mirror();
        // SAFETY: as in `take`, for the second mapping of the same pages.
        let start = unsafe { mirror.add(slot as usize * self.stride) };
        (slot, start, self.slot_size as usize)
    }
}
