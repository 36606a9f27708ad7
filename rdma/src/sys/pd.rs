//! Protection domains.

use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;

use super::context::ContextHandle;
use super::errno::Errno;
use super::ffi;
use super::leaks::{Leak, leaked};

/// A protection domain.
///
/// # Invariants
///
/// `raw` is allocated from `context` and deallocated once, by `Drop`. Regions and QPs in it hold an
/// `Arc` of this.
#[derive(Debug)]
pub(crate) struct PdHandle {
    context: Arc<ContextHandle>,
    raw: NonNull<ffi::Pd>,
}

// SAFETY: verbs may be called from any thread (promise 2 of `Verbs`), and nothing else touches
// `raw`.
unsafe impl Send for PdHandle {}
// SAFETY: as above.
unsafe impl Sync for PdHandle {}

impl PdHandle {
    pub(crate) fn alloc(context: &Arc<ContextHandle>) -> Result<Arc<Self>, Errno> {
        // SAFETY: a `ContextHandle` is open.
        let raw = unsafe { context.verbs().alloc_pd(context.raw()) }?;
        Ok(Arc::new(PdHandle {
            context: Arc::clone(context),
            raw,
        }))
    }

    pub(crate) fn context(&self) -> &Arc<ContextHandle> {
        &self.context
    }

    pub(super) fn raw(&self) -> NonNull<ffi::Pd> {
        self.raw
    }
}

impl Drop for PdHandle {
    fn drop(&mut self) {
        // SAFETY: allocated until here (invariant).
        let result = unsafe { self.context.verbs().dealloc_pd(self.raw) };
        if result.is_err() {
            // The domain is still there, so its context must not be closed.
            leaked(Leak::Pd);
            mem::forget(Arc::clone(&self.context));
        }
    }
}
