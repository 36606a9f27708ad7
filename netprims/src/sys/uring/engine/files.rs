use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::Engine;
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::uring::kernel::Kernel;

/// The places of the kernel's table of registered files that are free.
pub(super) struct Files {
    free: Vec<u32>,
}

impl Files {
    pub(super) fn none() -> Self {
        Self { free: Vec::new() }
    }
}

impl<K: Kernel> Engine<K> {
    /// Makes a table for this many files.
    pub(crate) fn register_files(&mut self, places: u32) -> io::Result<()> {
        self.kernel.register_files(places)?;
        self.files.free = (0..places).rev().collect();
        Ok(())
    }

    /// Puts a descriptor into the table, if there is room and the kernel takes it there.
    pub(super) fn register_file(&mut self, fd: &OwnedFd) -> Option<u32> {
        let place = self.files.free.pop()?;
        match self.kernel.set_file(place, Some(fd.as_raw_fd())) {
            Ok(()) => Some(place),
            Err(_) => {
                self.files.free.push(place);
                None
            }
        }
    }

    /// Takes a descriptor out of the table. No queued request names its place. A place the kernel does not clear is not
    /// used again.
    pub(super) fn unregister_file(&mut self, place: u32) {
        #[cfg(test)]
        if seeded(Defect::LeaveInTheTable) {
            return self.files.free.push(place);
        }
        if self.kernel.set_file(place, None).is_ok() {
            self.files.free.push(place);
        }
    }
}
