//! One slot of registered memory.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use super::pd::PdHandle;
use super::region::Region;

/// Registered memory you own: bytes to send, or room to receive into.
///
/// While you hold it, it is a plain `&mut [u8]`: the NIC writes to it for none but your own
/// receives, because the region grants no remote rights. Posting moves it into the queue pair, the
/// completion moves it back. Dropping it returns the slot to its [`Mr`](crate::Mr).
///
/// Its contents are whatever was there before: zeros at first, earlier messages later.
///
/// # Invariants
///
/// `start` begins slot `slot` of `region`, of `region.slot_size()` initialised bytes; `len` is not
/// greater; nobody else holds the slot.
pub struct Buf {
    start: NonNull<u8>,
    len: u32,
    slot: u32,
    region: Arc<Region>,
}

// SAFETY: a `Buf` is the only way to its slot, like a `Box<[u8]>`.
unsafe impl Send for Buf {}
// SAFETY: shared access only reads bytes.
unsafe impl Sync for Buf {}

impl Buf {
    /// # Safety
    /// `start` begins slot `slot` of `region`, `capacity` is the slot's size, the bytes are
    /// initialised, and the caller hands over the only claim to the slot.
    pub(super) unsafe fn new(
        start: NonNull<u8>,
        capacity: u32,
        slot: u32,
        region: Arc<Region>,
    ) -> Self {
        Buf {
            start,
            len: capacity,
            slot,
            region,
        }
    }

    /// How many bytes the slot holds. Receives use all of it.
    #[must_use]
    pub fn capacity(&self) -> usize {
        // A region's slots fit the address space.
        self.region.slot_size() as usize
    }

    /// Sets how many bytes, from the start, the buffer shows and a send sends.
    ///
    /// Bytes that come into view hold what they held before.
    ///
    /// # Panics
    ///
    /// If `len` is greater than [`capacity`](Self::capacity).
    pub fn set_len(&mut self, len: usize) {
        assert!(
            len <= self.capacity(),
            "length {len} in a buffer of {}",
            self.capacity()
        );
        self.len = u32::try_from(len).unwrap_or(self.region.slot_size());
    }

    /// How many bytes it shows.
    #[inline]
    pub(super) fn shown_len(&self) -> u32 {
        self.len
    }

    /// Shows `len` bytes; `false` when the slot is smaller.
    #[inline]
    pub(super) fn try_set_len(&mut self, len: u32) -> bool {
        let fits = len <= self.region.slot_size();
        if fits {
            self.len = len;
        }
        fits
    }

    /// Address, length and key of the shown bytes, as a scatter/gather element has them.
    #[inline]
    pub(super) fn shown(&self) -> super::ffi::Sge {
        super::ffi::Sge {
            addr: self.address(),
            length: self.len,
            lkey: self.region.lkey(),
        }
    }

    /// The same for the whole slot.
    #[inline]
    pub(super) fn whole(&self) -> super::ffi::Sge {
        let length = self.region.slot_size();
        super::ffi::Sge {
            addr: self.address(),
            length,
            lkey: self.region.lkey(),
        }
    }

    #[inline]
    fn address(&self) -> u64 {
        self.start.as_ptr().expose_provenance() as u64
    }

    #[inline]
    pub(super) fn pd(&self) -> &Arc<PdHandle> {
        self.region.pd()
    }

    /// A second `Buf` for the same slot: the bug that the seeded defects of the tests need.
    ///
    /// # Safety
    /// None of the two is read or written as bytes while the other is alive.
    #[cfg(test)]
    pub(super) unsafe fn alias(&self) -> Self {
        Buf {
            start: self.start,
            len: self.len,
            slot: self.slot,
            region: Arc::clone(&self.region),
        }
    }

    /// Which slot of its region this is.
    #[cfg(test)]
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }
}

impl Deref for Buf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes of the slot are initialised and ours alone (invariant); the
        // NIC writes only to slots that a work request names, and those are moved into a queue
        // pair.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len as usize) }
    }
}

impl DerefMut for Buf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes the reference unique.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len as usize) }
    }
}

impl AsRef<[u8]> for Buf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Buf {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buf")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

impl Drop for Buf {
    fn drop(&mut self) {
        // SAFETY: this is the slot's one holder (invariant) and does not use it any more.
        unsafe { self.region.give_back(self.slot) }
    }
}
