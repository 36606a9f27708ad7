//! Memory windows: keys to parts of exposed memory, given and taken by requests.

use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;

use super::errno::Errno;
use super::exposed::ExposedRegion;
use super::ffi;
use super::leaks::{Leak, leaked};
use super::pd::PdHandle;

/// A memory window of type 2, for parts of one region.
///
/// Windows are for exposed memory only: one over a local region would give peers rights that the
/// region lacks.
///
/// # Invariants
///
/// `raw` is allocated in the region's domain and deallocated once, by `Drop`, with `dealloc`. Nothing
/// but this value changes its fields.
#[derive(Debug)]
pub(crate) struct WindowHandle {
    raw: NonNull<ffi::Mw>,
    dealloc: ffi::DeallocMw,
    region: Arc<ExposedRegion>,
    /// The request that binds it.
    bind: ffi::BindMw,
}

// SAFETY: verbs may be called from any thread (promise 2 of `Verbs`); what the pointers point to is
// this value's, or constant.
unsafe impl Send for WindowHandle {}
// SAFETY: as above; `posted`, which writes, needs that nobody else has it (see there).
unsafe impl Sync for WindowHandle {}

impl WindowHandle {
    pub(crate) fn alloc(region: &Arc<ExposedRegion>) -> Result<Self, Errno> {
        let pd = region.pd();
        let context = pd.context();
        let missing = Errno::new(libc::EOPNOTSUPP);
        let alloc = context.alloc_mw().ok_or(missing)?;
        let dealloc = context.dealloc_mw().ok_or(missing)?;
        // SAFETY: a `PdHandle` is allocated.
        let raw = unsafe { alloc(pd.raw().as_ptr(), ffi::MW_TYPE_2) };
        let raw = NonNull::new(raw).ok_or_else(Errno::last)?;
        // As the inline `ibv_alloc_mw` does for providers that leave them out.
        // SAFETY: just allocated, and used by nobody else.
        unsafe { (*raw.as_ptr()).context = context.raw().as_ptr() };
        // SAFETY: as above.
        unsafe { (*raw.as_ptr()).pd = pd.raw().as_ptr() };
        Ok(WindowHandle {
            raw,
            dealloc,
            region: Arc::clone(region),
            bind: ffi::BindMw::NOTHING,
        })
    }

    pub(crate) fn region(&self) -> &Arc<ExposedRegion> {
        &self.region
    }

    /// The key it has, or had last.
    pub(crate) fn rkey(&self) -> u32 {
        // SAFETY: allocated (invariant), so its fields may be read.
        unsafe { (*self.raw.as_ptr()).rkey }
    }

    /// Prepares to bind it to a part of its region, and says which key it will have. `access` is bits
    /// of `enum ibv_access_flags`. `None` if the part is not within the region.
    pub(crate) fn prepare(&mut self, offset: usize, len: usize, access: u32) -> Option<u32> {
        if !self.region.has(offset, len) {
            return None;
        }
        let [tag, rest @ ..] = self.rkey().to_le_bytes();
        let [a, b, c] = rest;
        let rkey = u32::from_le_bytes([tag.wrapping_add(1), a, b, c]);
        self.bind = ffi::BindMw {
            mw: self.raw.as_ptr(),
            rkey,
            mr: self.region.raw().as_ptr(),
            addr: self
                .region
                .address()
                .checked_add(u64::try_from(offset).ok()?)?,
            length: u64::try_from(len).ok()?,
            access,
        };
        Some(rkey)
    }

    #[inline]
    pub(super) fn pd(&self) -> &Arc<PdHandle> {
        self.region.pd()
    }

    /// The request that binds it.
    #[inline]
    pub(super) fn bind(&self) -> ffi::BindMw {
        self.bind
    }

    /// The request that binds it was posted: the next one must name the new key as the old.
    ///
    /// # Safety
    /// Nobody else uses this window meanwhile.
    pub(super) unsafe fn posted(&self) {
        // SAFETY: allocated (invariant), and the caller's promise.
        unsafe { (*self.raw.as_ptr()).rkey = self.bind.rkey };
    }
}

impl Drop for WindowHandle {
    fn drop(&mut self) {
        // SAFETY: allocated until here (invariant). A request that binds it and is in flight names it
        // to the device by number, which refuses it from now on.
        let result = unsafe { (self.dealloc)(self.raw.as_ptr()) };
        if result != 0 {
            // A region with a window cannot be deregistered.
            leaked(Leak::Window);
            mem::forget(Arc::clone(&self.region));
        }
    }
}
