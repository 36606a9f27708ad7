//! Memory that the device may use.

use std::ffi::c_int;
use std::mem::{self, ManuallyDrop};
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::Arc;

#[cfg(test)]
use super::defect::{Defect, seeded};
use super::errno::Errno;
use super::ffi;
use super::leaks::{Leak, leaked};
use super::memory::Memory;
use super::pd::PdHandle;

/// Pages that are registered as one region.
///
/// # Invariants
///
/// `raw` is registered in `pd`, covers the whole of `memory`, and is deregistered once, by `Drop`.
/// `memory` is unmapped only after `dereg_mr` returned `Ok`.
#[derive(Debug)]
pub(super) struct Registered {
    raw: NonNull<ffi::Mr>,
    lkey: u32,
    rkey: u32,
    memory: ManuallyDrop<Memory>,
    pd: Arc<PdHandle>,
}

// SAFETY: verbs may be called from any thread (promise 2 of `Verbs`); the fields are constant.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl Registered {
    /// Maps and registers `len` bytes. `access` is bits of `enum ibv_access_flags`.
    pub(super) fn new(pd: &Arc<PdHandle>, len: NonZeroUsize, access: c_int) -> Result<Self, Errno> {
        let memory = ManuallyDrop::new(Memory::map(len)?);
        let verbs = pd.context().verbs();
        // SAFETY: the domain is allocated; the range is the whole of `memory`, which is unmapped
        // only below (when nothing was registered) or after `dereg_mr` returned `Ok` (in `Drop`).
        let registered = unsafe { verbs.reg_mr(pd.raw(), memory.start(), memory.len(), access) };
        let raw = match registered {
            Ok(raw) => raw,
            Err(errno) => {
                drop(ManuallyDrop::into_inner(memory));
                return Err(errno);
            }
        };
        // SAFETY: just registered, so its fields may be read.
        let lkey = unsafe { (*raw.as_ptr()).lkey };
        // SAFETY: as above.
        let rkey = unsafe { (*raw.as_ptr()).rkey };
        Ok(Registered {
            raw,
            lkey,
            rkey,
            memory,
            pd: Arc::clone(pd),
        })
    }

    pub(super) fn raw(&self) -> NonNull<ffi::Mr> {
        self.raw
    }

    #[inline]
    pub(super) fn lkey(&self) -> u32 {
        self.lkey
    }

    pub(super) fn rkey(&self) -> u32 {
        self.rkey
    }

    #[inline]
    pub(super) fn pd(&self) -> &Arc<PdHandle> {
        &self.pd
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        #[cfg(test)]
        if seeded(Defect::UnmapBeforeDeregister) {
            // SAFETY: the bug under test; the device is a fake, which looks before it writes.
            unsafe { ManuallyDrop::drop(&mut self.memory) };
            // SAFETY: as below.
            let _ = unsafe { self.pd.context().verbs().dereg_mr(self.raw) };
            return;
        }
        // SAFETY: registered until here (invariant).
        let result = unsafe { self.pd.context().verbs().dereg_mr(self.raw) };
        if result.is_ok() {
            // SAFETY: dropped only here, and not used afterwards; nothing points into the pages any
            // more, for whatever does holds this value, and the NIC has no right to them any more
            // (promise 4 of `Verbs`).
            unsafe { ManuallyDrop::drop(&mut self.memory) };
        } else {
            // The NIC may still use them: the pages stay mapped, and the domain stays.
            leaked(Leak::Region);
            leaked(Leak::Bytes(self.memory.len()));
            mem::forget(Arc::clone(&self.pd));
        }
    }
}
