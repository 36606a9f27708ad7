//! Pages for the NIC.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::sys::mman::{self, MapFlags, MmapAdvise, ProtFlags};

use super::errno::Errno;
#[cfg(test)]
use super::graveyard;
use super::leaks::{Leak, leaked};

/// How large the pages of a mapping are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// The system's own.
    Normal,
    /// Huge ones of so many bytes: two to this power.
    Huge(u8),
}

/// Zeroed pages, mapped until dropped.
///
/// # Invariants
///
/// `start..start + len` is mapped, and within `mapped` bytes from `start` on, which are one mapping that
/// only this value unmaps. In tests the same pages are mapped a second time at `mirror`, so that a test
/// sees what was written without going through an address that Rust code may hold a reference to.
#[derive(Debug)]
pub(crate) struct Memory {
    start: NonNull<u8>,
    len: NonZeroUsize,
    mapped: NonZeroUsize,
    kind: PageKind,
    #[cfg(test)]
    mirror: NonNull<u8>,
}

// SAFETY: it is the only way to its pages, like a `Box<[u8]>`.
unsafe impl Send for Memory {}
// SAFETY: shared access only asks where they are.
unsafe impl Sync for Memory {}

const READ_WRITE: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

impl Memory {
    /// Maps `len` bytes.
    pub(crate) fn map(len: NonZeroUsize, kind: PageKind) -> Result<Self, Errno> {
        match kind {
            #[cfg(test)]
            PageKind::Normal => Memory::mirrored(len),
            _ => Memory::anonymous(len, kind),
        }
    }

    fn anonymous(len: NonZeroUsize, kind: PageKind) -> Result<Self, Errno> {
        let too_long = Errno::new(libc::ENOMEM);
        let (flags, mapped) = match kind {
            PageKind::Normal => (MapFlags::empty(), len),
            PageKind::Huge(bits) => {
                let size = 1_usize.checked_shl(u32::from(bits)).ok_or(too_long)?;
                let mapped = len.get().checked_next_multiple_of(size);
                let mapped = mapped.and_then(NonZeroUsize::new).ok_or(too_long)?;
                let size = i32::from(bits) << libc::MAP_HUGE_SHIFT;
                (
                    MapFlags::MAP_HUGETLB | MapFlags::from_bits_retain(size),
                    mapped,
                )
            }
        };
        let flags = flags | MapFlags::MAP_PRIVATE;
        // SAFETY: a new private mapping at an address of the kernel's choice touches no existing
        // memory.
        let start = unsafe { mman::mmap_anonymous(None, mapped, READ_WRITE, flags) };
        let start: NonNull<u8> = start.map_err(|error| Errno::new(error as i32))?.cast();
        let memory = Memory {
            start,
            len,
            mapped,
            kind,
            #[cfg(test)]
            mirror: start,
        };
        memory.keep_from_children();
        Ok(memory)
    }

    /// A forked child gets zeroed pages in their place, or, where they are huge, none: if it shared
    /// them, the first write of this process would leave the device with pages that this process does
    /// not see any more. Newer kernels (5.12) see to that for pages that are pinned, older ones do not.
    fn keep_from_children(&self) {
        let advice = match self.kind {
            PageKind::Normal => MmapAdvise::MADV_WIPEONFORK,
            PageKind::Huge(_) => MmapAdvise::MADV_DONTFORK,
        };
        // SAFETY: the whole of a mapping that this value has just made; what the advice changes is what
        // a child sees.
        let advised = unsafe { mman::madvise(self.start.cast(), self.mapped.get(), advice) };
        // Refused by kernels before 4.14. Then it is for the program not to fork.
        let _ = advised;
    }

    #[cfg(test)]
    fn mirrored(len: NonZeroUsize) -> Result<Self, Errno> {
        use std::os::fd::{FromRawFd, OwnedFd};
        // SAFETY: the name ends with NUL.
        let fd = unsafe { libc::memfd_create(c"netprims-rdma-test".as_ptr(), libc::MFD_CLOEXEC) };
        assert!(fd >= 0, "memfd_create: {:?}", Errno::last());
        // SAFETY: just made, and owned by nobody else.
        let file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        file.set_len(u64::try_from(len.get()).unwrap()).unwrap();
        let map = || {
            // SAFETY: a new mapping at an address of the kernel's choice touches no existing
            // memory.
            let start =
                unsafe { mman::mmap(None, len, READ_WRITE, MapFlags::MAP_SHARED, &file, 0) };
            let start = start.unwrap().cast();
            graveyard::mapped(start, len.get());
            start
        };
        Ok(Memory {
            start: map(),
            len,
            mapped: len,
            kind: PageKind::Normal,
            mirror: map(),
        })
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    pub(crate) fn kind(&self) -> PageKind {
        self.kind
    }

    /// The second mapping of the same pages; the first, where there is none.
    #[cfg(test)]
    pub(crate) fn mirror(&self) -> NonNull<u8> {
        self.mirror
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        #[cfg(test)]
        // SAFETY: as below.
        if unsafe { graveyard::bury(self.start) } {
            // SAFETY: as below.
            unsafe { graveyard::bury(self.mirror) };
            return;
        }
        // SAFETY: the range is one whole mapping of ours (invariant), and the owner of a `Memory`
        // drops it only when nothing points into it.
        let result = unsafe { mman::munmap(self.start.cast::<c_void>(), self.mapped.get()) };
        if result.is_err() {
            // The pages stay mapped, which is safe.
            leaked(Leak::Bytes(self.mapped.get()));
        }
        #[cfg(test)]
        if self.mirror != self.start {
            // SAFETY: as above.
            let _ = unsafe { mman::munmap(self.mirror.cast::<c_void>(), self.mapped.get()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_sees_zeroes_and_changes_nothing() {
        let len = NonZeroUsize::new(10_000).unwrap();
        let memory = Memory::anonymous(len, PageKind::Normal).unwrap();
        let start = memory.start().as_ptr();
        // SAFETY: mapped, and nobody else's.
        unsafe { start.write_volatile(7) };
        // SAFETY: the child reads and writes one byte, and ends.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            // SAFETY: as above: the child has a page in its place.
            let seen = unsafe { start.read_volatile() };
            // SAFETY: as above.
            unsafe { start.write_volatile(9) };
            // SAFETY: ends the child without running what is the parent's to run.
            unsafe { libc::_exit(i32::from(seen)) }
        }
        let mut status = -1;
        // SAFETY: a child of this process, and a live integer.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "what the child saw");
        // SAFETY: as above.
        assert_eq!(unsafe { start.read_volatile() }, 7);
    }

    #[test]
    fn huge_pages_are_mapped_whole_or_refused() {
        // This machine may have reserved some.
        let len = NonZeroUsize::new(3).unwrap();
        match Memory::map(len, PageKind::Huge(21)) {
            Ok(memory) => assert_eq!((memory.len(), memory.mapped.get()), (3, 2 << 20)),
            Err(errno) => assert_eq!(errno, Errno::new(libc::ENOMEM)),
        }
        let refused = Memory::map(NonZeroUsize::MAX, PageKind::Huge(21)).map(|_| ());
        assert_eq!(refused, Err(Errno::new(libc::ENOMEM)));
        let refused = Memory::map(len, PageKind::Huge(63)).map(|_| ());
        assert!(refused.is_err(), "no processor has them");
    }
}
