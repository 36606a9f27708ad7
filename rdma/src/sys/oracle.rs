//! Sees what a device wrote where it must not.
//!
//! No sanitizer sees writes of a device. So tests fill the slots that nobody holds with a pattern,
//! and look later whether it is still there; through a second mapping of the same pages, because no
//! Rust reference covers that.

use std::slice;

use super::graveyard;
use super::region::Region;

/// What overwrites a slot that comes back.
pub(crate) const SCRIBBLE: u8 = 0xa5;

impl Region {
    /// Fills the slots that nobody holds.
    pub(crate) fn fill_free(&self, pattern: u8) {
        for (_, start, len) in self.free_slots() {
            // SAFETY: the second mapping of a slot that nobody holds: `len` bytes, no reference to
            // them.
            unsafe { start.as_ptr().write_bytes(pattern, len) };
        }
    }

    /// Fills a slot that comes back, where there is a [graveyard](super::graveyard): the device must
    /// be done with it.
    pub(super) fn scribble(&self, slot: u32) {
        if !graveyard::is_there() {
            return;
        }
        let (_, start, len) = self.mirrored(slot);
        // SAFETY: the second mapping of a slot whose holder ends: `len` bytes, no reference to them.
        unsafe { start.as_ptr().write_bytes(SCRIBBLE, len) };
    }

    /// The slots that nobody holds and somebody wrote to since.
    pub(crate) fn free_but_changed(&self, pattern: u8) -> Vec<u32> {
        let changed = |&(_, start, len): &(u32, std::ptr::NonNull<u8>, usize)| {
            // SAFETY: as above; the fake device writes on the test's own thread, so not now.
            let bytes = unsafe { slice::from_raw_parts(start.as_ptr(), len) };
            bytes.iter().any(|&byte| byte != pattern)
        };
        self.free_slots()
            .iter()
            .filter(|slot| changed(slot))
            .map(|&(slot, ..)| slot)
            .collect()
    }
}
