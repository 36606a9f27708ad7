//! Keys to parts of exposed memory.

use std::ops::Range;

use super::{ExposedMr, RemoteKey, RemoteSlice};
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::qp::RemoteAccess;
use crate::sys::WindowHandle;

/// A memory window: a key to a part of an [`ExposedMr`], which requests give and take at little cost,
/// while registering takes a system call.
///
/// Dropping it takes the key away, too. Drop it, or [invalidate](crate::Wr::invalidate) it, before the queue pair that it was
/// bound through: until then a device may count it as a user of that queue pair, whose end then waits (Soft-RoCE: up to a
/// minute, with a warning in the kernel's log). After a bind that did not succeed, drop it: the device and this process may
/// not agree about its key any more.
///
/// Soft-RoCE (seen on Linux 6.12) sees to a window's rights, but to the bounds of its region only.
#[doc(alias = "ibv_mw")]
#[derive(Debug)]
pub struct Window {
    handle: WindowHandle,
}

impl ExposedMr {
    /// Allocates a window for parts of this memory, which must be registered with
    /// [`RemoteAccess::WINDOWS`].
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]; EOPNOTSUPP: the device has no windows.
    #[doc(alias = "ibv_alloc_mw")]
    pub fn alloc_window(&self) -> Result<Window> {
        WindowHandle::alloc(self.region())
            .map(|handle| Window { handle })
            .map_err(|errno| verb_error("ibv_alloc_mw", String::from("of type 2"), errno))
    }
}

impl Window {
    /// The key that it has, or had last.
    #[must_use]
    pub fn key(&self) -> RemoteKey {
        RemoteKey::new(self.handle.rkey())
    }

    pub(crate) fn prepare(
        &mut self,
        range: Range<usize>,
        access: RemoteAccess,
    ) -> Result<RemoteSlice> {
        let address = self.handle.region().address();
        let len = range.end.saturating_sub(range.start);
        let is_forward = range.start <= range.end;
        let key = is_forward
            .then(|| self.handle.prepare(range.start, len, access.bits()))
            .flatten();
        let key = key.ok_or(Error::OutOfRange {
            what: "window up to byte",
            value: u64::try_from(range.end).unwrap_or(u64::MAX),
            rule: "within its region",
        })?;
        let offset = u64::try_from(range.start).unwrap_or(u64::MAX);
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        let addr = address.saturating_add(offset);
        Ok(RemoteSlice::new(addr, len, RemoteKey::new(key)))
    }

    pub(crate) fn handle_mut(&mut self) -> &mut WindowHandle {
        &mut self.handle
    }
}
