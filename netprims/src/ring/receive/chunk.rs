use std::fmt;
use std::ops::Deref;

use super::RxBuf;
use crate::sys::uring::Loan;

/// Bytes that were received, lent to the handler. Dereferences to them.
///
/// When the handler has returned the ring receives into this memory again, also if the chunk was passed to `mem::forget`
/// or the handler panicked. To keep the bytes without copying them, [`detach`](Chunk::detach) the chunk.
pub struct Chunk<'a> {
    loan: Loan<'a>,
}

impl<'a> Chunk<'a> {
    #[inline]
    pub(in crate::ring) fn new(loan: Loan<'a>) -> Self {
        Self { loan }
    }

    /// Keeps the bytes. Nothing is copied: the memory is the pool's, and is missing there until the [`RxBuf`] is
    /// dropped.
    pub fn detach(self) -> RxBuf {
        RxBuf::new(self.loan.detach())
    }
}

impl Deref for Chunk<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.loan.bytes()
    }
}

impl AsRef<[u8]> for Chunk<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Chunk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("len", &self.len()).finish()
    }
}
