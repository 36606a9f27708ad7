use std::fmt;
use std::ops::Deref;

use crate::sys::uring::Piece;

/// Bytes that were received, kept. Dereferences to them.
///
/// It may go to any thread and outlive the ring and the pool. Dropping it gives the memory back, without a lock; the ring
/// notices at its next poll. The slot it lies in is received into again when every `RxBuf` of it is dropped; passing one
/// to `mem::forget` loses the slot, which [`RxPool::outstanding`](super::RxPool::outstanding) shows.
pub struct RxBuf {
    /// Nothing was received into nothing.
    piece: Option<Piece>,
}

impl RxBuf {
    pub(super) fn new(piece: Option<Piece>) -> Self {
        Self { piece }
    }
}

impl Deref for RxBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.piece.as_ref().map_or(&[], Piece::bytes)
    }
}

impl AsRef<[u8]> for RxBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for RxBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RxBuf").field("len", &self.len()).finish()
    }
}
