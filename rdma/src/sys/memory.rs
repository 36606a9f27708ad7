//! Pages for the NIC.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::sys::mman;

use super::errno::Errno;
#[cfg(test)]
use super::graveyard;
use super::leaks::{Leak, leaked};

/// Zeroed pages, mapped until dropped.
///
/// # Invariants
///
/// `start..start + len` is one mapping that only this value unmaps. In tests the same pages are
/// mapped a second time at `mirror`, so that a test sees what was written without going through an
/// address that Rust code may hold a reference to.
#[derive(Debug)]
pub(crate) struct Memory {
    start: NonNull<u8>,
    len: NonZeroUsize,
    #[cfg(test)]
    mirror: NonNull<u8>,
}

impl Memory {
    #[cfg(not(test))]
    pub(crate) fn map(len: NonZeroUsize) -> Result<Self, Errno> {
        use mman::{MapFlags, ProtFlags};
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new private mapping at an address of the kernel's choice touches no existing
        // memory.
        let start = unsafe { mman::mmap_anonymous(None, len, protection, MapFlags::MAP_PRIVATE) };
        let start = start.map_err(|error| Errno::new(error as i32))?.cast();
        Ok(Memory { start, len })
    }

    #[cfg(test)]
    pub(crate) fn map(len: NonZeroUsize) -> Result<Self, Errno> {
        use std::os::fd::{FromRawFd, OwnedFd};
        // SAFETY: the name ends with NUL.
        let fd = unsafe { libc::memfd_create(c"netprims-rdma-test".as_ptr(), libc::MFD_CLOEXEC) };
        assert!(fd >= 0, "memfd_create: {:?}", Errno::last());
        // SAFETY: just made, and owned by nobody else.
        let file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        file.set_len(u64::try_from(len.get()).unwrap()).unwrap();
        let map = || {
            use mman::{MapFlags, ProtFlags};
            let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
            // SAFETY: a new mapping at an address of the kernel's choice touches no existing
            // memory.
            let start =
                unsafe { mman::mmap(None, len, protection, MapFlags::MAP_SHARED, &file, 0) };
            let start = start.unwrap().cast();
            graveyard::mapped(start, len.get());
            start
        };
        Ok(Memory {
            start: map(),
            len,
            mirror: map(),
        })
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// The second mapping of the same pages.
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
        let result = unsafe { mman::munmap(self.start.cast::<c_void>(), self.len.get()) };
        if result.is_err() {
            // The pages stay mapped, which is safe.
            leaked(Leak::Bytes(self.len.get()));
        }
        #[cfg(test)]
        // SAFETY: as above.
        let _ = unsafe { mman::munmap(self.mirror.cast::<c_void>(), self.len.get()) };
    }
}
