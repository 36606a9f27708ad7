use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

use super::leaked;

/// Zeroed memory of its own. A forked child has zeroes of its own there (`MADV_WIPEONFORK`, Linux 4.14): copy-on-write
/// would move the parent's pages away from under the kernel, and a hole (`MADV_DONTFORK`) would soon be somebody else's
/// memory, which the child's copy of this value would write and unmap.
///
/// # Invariants
///
/// `base` is the start of a readable and writable mapping of `len` bytes that `mmap` returned and nothing else has
/// unmapped. Only this value unmaps it, once, in `Drop`. So it is for the copy of this value in a forked child: the kernel
/// copies the range, not the pages (`dup_mmap`).
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: NonZeroUsize,
    /// Nobody else maps its pages: what the kernel discards here comes back as fresh ones.
    private: bool,
}

// SAFETY: a mapping belongs to the process, not to a thread, and `Mapping` is the only owner of this one.
unsafe impl Send for Mapping {}
// SAFETY: through a shared reference a `Mapping` gives out its address and length and reads or writes no byte.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps at least `len` bytes, zeroed.
    pub(crate) fn anonymous(len: NonZeroUsize) -> io::Result<Self> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: without an address and MAP_FIXED the kernel chooses a range that nothing uses.
        let base = unsafe { mmap_anonymous(None, len, access, MapFlags::MAP_PRIVATE) }?;
        // From here on `Drop` unmaps, whatever fails.
        let mapping = Self {
            base: base.cast(),
            len,
            private: true,
        };
        mapping.give_children_zeroes()?;
        Ok(mapping)
    }

    /// Maps a file that is mapped elsewhere too, so that a test sees the memory without going through its owner.
    #[cfg(all(test, feature = "ring"))]
    pub(crate) fn of_file(file: &std::fs::File, len: NonZeroUsize) -> io::Result<Self> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: without an address and MAP_FIXED the kernel chooses a range that nothing uses.
        let base =
            unsafe { nix::sys::mman::mmap(None, len, access, MapFlags::MAP_SHARED, file, 0) }?;
        let mapping = Self {
            base: base.cast(),
            len,
            private: false,
        };
        // SAFETY: the range is this mapping (invariant), and MADV_DONTFORK changes nothing in this process. No test that
        // maps a file forks.
        unsafe { madvise(mapping.base.cast(), len.get(), MmapAdvise::MADV_DONTFORK) }?;
        Ok(mapping)
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// Exchanges the pages of a range for fresh, zeroed ones. Who has a reference to the old pages, as a packet in the
    /// kernel has, keeps them with what was in them; nobody can write them through the mapping any more. False, and
    /// nothing changed, if the pages are shared or the kernel refuses.
    ///
    /// # Safety
    ///
    /// The range lies in the mapping, starts and ends on a page, and nobody has a reference into it.
    pub(super) unsafe fn renew(&self, offset: usize, len: usize) -> bool {
        if !self.private {
            return false;
        }
        // Locked memory (mlockall) needs the second, Linux 5.18.
        let kinds = [libc::MADV_DONTNEED, libc::MADV_DONTNEED_LOCKED];
        // SAFETY: the range lies in the mapping (the caller's promise).
        let start = unsafe { self.base.add(offset) };
        kinds.into_iter().any(|kind| {
            // SAFETY: the range is whole pages of this mapping that nobody has a reference to (the caller's promise).
            // Its bytes become zeroes, which every user of the mapping may find there.
            unsafe { libc::madvise(start.as_ptr().cast(), len, kind) == 0 }
        })
    }

    /// The seeded defect: puts a hole into the mapping, which stays reserved.
    ///
    /// # Safety
    ///
    /// The range lies in the mapping, starts and ends on a page, and nobody in this process has a reference into it.
    #[cfg(all(test, feature = "ring"))]
    pub(super) unsafe fn unmap_early(&self, offset: usize, len: usize) {
        // SAFETY: the range lies in the mapping (the caller's promise).
        let start = unsafe { self.base.add(offset) }.addr();
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED;
        let mapped = NonZeroUsize::new(len).map(|len| {
            // SAFETY: what is mapped over is whole pages of this mapping that nobody has a reference to (the caller's
            // promise).
            unsafe { mmap_anonymous(Some(start), len, ProtFlags::PROT_NONE, flags) }
        });
        assert!(
            matches!(mapped, Some(Ok(_))),
            "the defect could not be made"
        );
    }

    fn give_children_zeroes(&self) -> io::Result<()> {
        // SAFETY: the range is this mapping (invariant), and MADV_WIPEONFORK changes nothing in this process.
        unsafe {
            madvise(
                self.base.cast(),
                self.len.get(),
                MmapAdvise::MADV_WIPEONFORK,
            )
        }?;
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this mapping and mapped (invariant). No reference into it is left: they come only from
        // slots and from pieces of what was received, and each of those keeps the owner of the mapping alive. The kernel
        // does not use it by address any more. It reads so in plain sends (zero-copy sends use pinned pages): while it
        // may, the slot is in a `Lent`, which keeps the owner of the mapping alive too, for good if the kernel never lets
        // go. It writes so in receives: while it may, the slot is lent in a `Slots`, which does the same.
        let unmapped = unsafe { munmap(self.base.cast(), self.len.get()) };
        // The kernel may lack the memory to split an area (ENOMEM). The range stays mapped then, and nobody uses it.
        if unmapped.is_err() {
            leaked::count(self.len.get());
        }
    }
}
