use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::sys::memory::Slot;
use crate::{Error, Result};

/// One slot of a [`TxPool`](super::TxPool), with one owner. Dereferences to its bytes.
///
/// A fresh slot is zeroed; one that was used holds what its last owner wrote. Its length is that of the slot unless
/// [`set_len`](TxBuf::set_len) says less; it is what will be sent.
///
/// It may be filled on any thread. Dropping it makes the slot free. Passing it to `mem::forget` loses the slot until the
/// process ends, and with it the pool: the whole of it stays mapped, and pinned if a ring that lives has
/// registered it.
/// [`TxPool::outstanding`](super::TxPool::outstanding) shows a slot that never comes back.
pub struct TxBuf {
    slot: Slot,
}

impl TxBuf {
    /// Sets how many bytes count, from the start of the slot. The bytes themselves stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] if it is more than [`capacity`](TxBuf::capacity); nothing is changed.
    #[inline]
    pub fn set_len(&mut self, len: usize) -> Result<()> {
        self.slot
            .set_len(len)
            .then_some(())
            .ok_or_else(|| too_long(len))
    }

    /// The length of the slot in bytes.
    pub fn capacity(&self) -> usize {
        self.slot.capacity()
    }

    #[inline]
    pub(crate) fn new(slot: Slot) -> Self {
        Self { slot }
    }

    #[cfg(feature = "ring")]
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    #[inline]
    pub(crate) fn into_slot(self) -> Slot {
        self.slot
    }
}

#[cold]
fn too_long(len: usize) -> Error {
    Error::InvalidValue {
        option: "TxBuf length",
        value: len.to_string(),
        reason: "the slot is shorter",
    }
}

impl Deref for TxBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.slot.bytes()
    }
}

impl DerefMut for TxBuf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.slot.bytes_mut()
    }
}

impl AsRef<[u8]> for TxBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for TxBuf {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl fmt::Debug for TxBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxBuf")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
