//! Memory of this process's own, to fill and to register.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::slice;

use super::errno::Errno;
use super::memory::{Memory, PageKind};

/// Zeroed memory in pages of its own, not registered yet.
///
/// A forked child sees zeroes in its place, or, where the pages are huge, nothing at all.
pub struct Pages {
    memory: Memory,
}

impl Pages {
    pub(crate) fn new(len: NonZeroUsize, kind: PageKind) -> Result<Self, Errno> {
        Memory::map(len, kind).map(|memory| Pages { memory })
    }

    pub(crate) fn kind(&self) -> PageKind {
        self.memory.kind()
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let start = self.memory.start();
        // SAFETY: mapped and initialised as long as `self.memory` is, and nobody else's.
        unsafe { slice::from_raw_parts(start.as_ptr(), self.memory.len()) }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        let start = self.memory.start();
        // SAFETY: as in `deref`, and `&mut self` makes the reference unique.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), self.memory.len()) }
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
