//! Address handles: where datagrams go.

use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;

use super::errno::Errno;
use super::ffi;
use super::leaks::{Leak, leaked};
use super::modify::PathNumbers;
use super::pd::PdHandle;

/// An address handle.
///
/// # Invariants
///
/// `raw` exists in `pd` and is destroyed once, by `Drop`.
#[derive(Debug)]
pub(crate) struct AhHandle {
    raw: NonNull<ffi::Ah>,
    pd: Arc<PdHandle>,
}

// SAFETY: verbs may be called from any thread (promise 2 of `Verbs`).
unsafe impl Send for AhHandle {}
// SAFETY: as above; nothing is done with it but naming it in work requests.
unsafe impl Sync for AhHandle {}

impl AhHandle {
    pub(crate) fn create(pd: &Arc<PdHandle>, path: &PathNumbers) -> Result<Arc<Self>, Errno> {
        let mut attr = path.ah_attr();
        // SAFETY: a `PdHandle` is allocated.
        let raw = unsafe { pd.context().verbs().create_ah(pd.raw(), &mut attr) }?;
        Ok(Arc::new(AhHandle {
            raw,
            pd: Arc::clone(pd),
        }))
    }

    pub(super) fn raw(&self) -> NonNull<ffi::Ah> {
        self.raw
    }

    #[inline]
    pub(super) fn pd(&self) -> &Arc<PdHandle> {
        &self.pd
    }
}

impl Drop for AhHandle {
    fn drop(&mut self) {
        // SAFETY: exists until here (invariant). Work that names it and is still in flight is kept
        // with an `Arc` of this by its queue pair.
        let result = unsafe { self.pd.context().verbs().destroy_ah(self.raw) };
        if result.is_err() {
            leaked(Leak::Ah);
            mem::forget(Arc::clone(&self.pd));
        }
    }
}
