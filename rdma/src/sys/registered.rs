//! Memory that the device may use.

use std::ffi::c_int;
use std::mem;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::Arc;

use super::backing::Backing;
#[cfg(test)]
use super::defect::{Defect, seeded};
use super::errno::Errno;
use super::ffi;
use super::leaks::{Leak, leaked};
use super::pd::PdHandle;

/// Memory that is registered as one region.
///
/// # Invariants
///
/// While `held` is there, `raw` is registered in `pd` over the whole of it. It is deregistered once, by
/// [`end`](Self::end), and `held` is given away or dropped only after `dereg_mr` returned `Ok`.
#[derive(Debug)]
pub(super) struct Registered {
    raw: NonNull<ffi::Mr>,
    lkey: u32,
    rkey: u32,
    start: NonNull<u8>,
    held: Option<Held>,
    pd: Arc<PdHandle>,
}

/// What the memory is.
#[derive(Debug)]
enum Held {
    Backing(Backing),
    /// A buffer of another device, which the kernel keeps.
    Elsewhere,
}

// SAFETY: verbs may be called from any thread (promise 2 of `Verbs`); the fields are constant.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl Registered {
    /// Registers the memory, or gives it back. `access` is bits of `enum ibv_access_flags`.
    pub(super) fn new(
        pd: &Arc<PdHandle>,
        backing: Backing,
        access: c_int,
    ) -> Result<Self, (Errno, Backing)> {
        let verbs = pd.context().verbs();
        let start = backing.start();
        // SAFETY: the domain is allocated; the range is the whole of `backing`, which is given back only here,
        // when nothing was registered, or after `dereg_mr` returned `Ok` (in `end`).
        let registered = unsafe { verbs.reg_mr(pd.raw(), start, backing.len(), access) };
        match registered {
            // SAFETY: just registered over the whole of `backing`.
            Ok(raw) => Ok(unsafe { Self::from_raw(pd, raw, start, Held::Backing(backing)) }),
            Err(errno) => Err((errno, backing)),
        }
    }

    /// Registers a part of a buffer of another device. Its [`start`](Self::start) is none, for no bytes.
    pub(super) fn elsewhere(
        pd: &Arc<PdHandle>,
        buffer: BorrowedFd<'_>,
        offset: u64,
        len: NonZeroUsize,
        access: c_int,
    ) -> Result<Self, Errno> {
        let verbs = pd.context().verbs();
        // SAFETY: the domain is allocated; of memory that is another device's, no reference to plain bytes is made
        // here, and who maps it vouches for what others do to it.
        let raw = unsafe { verbs.reg_dmabuf_mr(pd.raw(), buffer, offset, len.get(), access) }?;
        let nowhere = NonNull::<u64>::dangling().cast();
        // SAFETY: just registered.
        Ok(unsafe { Self::from_raw(pd, raw, nowhere, Held::Elsewhere) })
    }

    /// # Safety
    /// `raw` was just registered in `pd`, over the whole of `held`, and nobody else deregisters it.
    unsafe fn from_raw(
        pd: &Arc<PdHandle>,
        raw: NonNull<ffi::Mr>,
        start: NonNull<u8>,
        held: Held,
    ) -> Self {
        // SAFETY: registered, so its fields may be read.
        let lkey = unsafe { (*raw.as_ptr()).lkey };
        // SAFETY: as above.
        let rkey = unsafe { (*raw.as_ptr()).rkey };
        Registered {
            raw,
            lkey,
            rkey,
            start,
            held: Some(held),
            pd: Arc::clone(pd),
        }
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

    /// Where the memory begins.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// What the memory is.
    pub(super) fn backing(&self) -> Option<&Backing> {
        match &self.held {
            Some(Held::Backing(backing)) => Some(backing),
            Some(Held::Elsewhere) | None => None,
        }
    }

    /// Deregisters the memory and gives it back, if it is of this process; if that fails, it stays for ever, counted.
    pub(super) fn into_backing(mut self) -> Result<Option<Backing>, Errno> {
        self.end()
    }

    fn end(&mut self) -> Result<Option<Backing>, Errno> {
        let Some(held) = self.held.take() else {
            return Ok(None);
        };
        #[cfg(test)]
        let held = match seeded(Defect::UnmapBeforeDeregister) {
            true => {
                drop(held);
                Held::Elsewhere
            }
            false => held,
        };
        // SAFETY: registered until here (invariant: `held` was there).
        let result = unsafe { self.pd.context().verbs().dereg_mr(self.raw) };
        #[cfg(test)]
        let result = match seeded(Defect::GiveBackBeforeDeregistered) {
            true => Ok(()),
            false => result,
        };
        match result {
            // Nothing points into the memory any more, for whatever does holds this value, and the NIC has no
            // right to it any more (promise 4 of `Verbs`).
            Ok(()) => match held {
                Held::Backing(backing) => Ok(Some(backing)),
                Held::Elsewhere => Ok(None),
            },
            Err(errno) => {
                // The NIC may still use it: the memory stays, and the domain stays.
                leaked(Leak::Region);
                if let Held::Backing(backing) = &held {
                    leaked(Leak::Bytes(backing.len()));
                }
                mem::forget((held, Arc::clone(&self.pd)));
                Err(errno)
            }
        }
    }

    /// Where tests see the memory without going through its own addresses.
    #[cfg(test)]
    pub(super) fn mirror(&self) -> NonNull<u8> {
        let pages = self.backing().and_then(Backing::pages);
        pages.map_or(self.start, |pages| pages.memory().mirror())
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // The error is what `into_backing` is for.
        let _ = self.end();
    }
}
