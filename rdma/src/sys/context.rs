//! An open device.

use std::ffi::c_int;
use std::fmt;
use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;

use super::device::text;
use super::errno::Errno;
use super::ffi;
use super::leaks::{Leak, leaked};
use super::verbs::Verbs;

/// An open device.
///
/// # Invariants
///
/// `raw` is open and closed once, by `Drop`. Whatever was made from it holds an `Arc` of this.
pub(crate) struct ContextHandle {
    verbs: Arc<dyn Verbs>,
    raw: NonNull<ffi::Context>,
    device: String,
    transport: c_int,
}

// SAFETY: verbs may be called from any thread (promise 2 of `Verbs`); the fields read here (`ops`)
// do not change while the device is open.
unsafe impl Send for ContextHandle {}
// SAFETY: as above.
unsafe impl Sync for ContextHandle {}

/// Limits of a device, as the driver gives them.
#[derive(Clone, Debug)]
pub(crate) struct DeviceLimits {
    pub(crate) firmware: String,
    pub(crate) attr: Box<ffi::DeviceAttr>,
    /// Of both calls.
    pub(crate) capabilities: u64,
    pub(crate) paging: ffi::OdpCaps,
}

/// A line of the GID table, as the driver gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawGid {
    pub(crate) gid: [u8; 16],
    pub(crate) index: u32,
    pub(crate) port: u32,
    pub(crate) kind: u32,
    pub(crate) ifindex: u32,
}

impl ContextHandle {
    /// # Safety
    /// `raw` was just opened through `verbs`, and nobody else closes it.
    pub(super) unsafe fn from_open(
        verbs: Arc<dyn Verbs>,
        raw: NonNull<ffi::Context>,
        device: String,
        transport: c_int,
    ) -> Self {
        ContextHandle {
            verbs,
            raw,
            device,
            transport,
        }
    }

    /// What carries the device's traffic, as the driver says it.
    pub(crate) fn transport(&self) -> c_int {
        self.transport
    }

    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    pub(super) fn verbs(&self) -> &dyn Verbs {
        &*self.verbs
    }

    pub(super) fn raw(&self) -> NonNull<ffi::Context> {
        self.raw
    }

    pub(super) fn poll_cq(&self) -> Option<ffi::PollCq> {
        // SAFETY: the context is open (invariant) and `ops` does not change.
        unsafe { (*self.raw.as_ptr()).ops.poll_cq }
    }

    pub(super) fn alloc_mw(&self) -> Option<ffi::AllocMw> {
        // SAFETY: the context is open (invariant) and `ops` does not change.
        unsafe { (*self.raw.as_ptr()).ops.alloc_mw }
    }

    pub(super) fn dealloc_mw(&self) -> Option<ffi::DeallocMw> {
        // SAFETY: the context is open (invariant) and `ops` does not change.
        unsafe { (*self.raw.as_ptr()).ops.dealloc_mw }
    }

    pub(super) fn req_notify_cq(&self) -> Option<ffi::ReqNotifyCq> {
        // SAFETY: the context is open (invariant) and `ops` does not change.
        unsafe { (*self.raw.as_ptr()).ops.req_notify_cq }
    }

    pub(super) fn post_send(&self) -> Option<ffi::PostSend> {
        // SAFETY: the context is open (invariant) and `ops` does not change.
        unsafe { (*self.raw.as_ptr()).ops.post_send }
    }

    pub(super) fn post_recv(&self) -> Option<ffi::PostRecv> {
        // SAFETY: the context is open (invariant) and `ops` does not change.
        unsafe { (*self.raw.as_ptr()).ops.post_recv }
    }

    pub(super) fn post_srq_recv(&self) -> Option<ffi::PostSrqRecv> {
        // SAFETY: the context is open (invariant) and `ops` does not change.
        unsafe { (*self.raw.as_ptr()).ops.post_srq_recv }
    }

    pub(crate) fn query_device(&self) -> Result<DeviceLimits, Errno> {
        // SAFETY: integers and arrays of them: zero is a valid value.
        let mut attr: ffi::DeviceAttr = unsafe { mem::zeroed() };
        // SAFETY: the context is open (invariant).
        unsafe { self.verbs.query_device(self.raw, &mut attr) }?;
        // SAFETY: as above.
        let mut more: ffi::DeviceAttrEx = unsafe { mem::zeroed() };
        // SAFETY: the context is open (invariant).
        match unsafe { self.verbs.query_device_ex(self.raw, &mut more) } {
            Ok(()) => {}
            // Nothing beyond the usual; what the call left behind does not count.
            Err(errno) if [libc::EOPNOTSUPP, libc::ENOSYS].contains(&errno.number()) => {
                // SAFETY: as above.
                more = unsafe { mem::zeroed() };
            }
            Err(errno) => return Err(errno),
        }
        Ok(DeviceLimits {
            firmware: text(&attr.fw_ver),
            attr: Box::new(attr),
            capabilities: u64::from(attr.device_cap_flags) | more.device_cap_flags_ex,
            paging: more.odp_caps,
        })
    }

    pub(crate) fn query_port(&self, port: u8) -> Result<ffi::PortAttr, Errno> {
        let mut attr = ffi::PortAttr::default();
        // SAFETY: the context is open (invariant).
        unsafe { self.verbs.query_port(self.raw, port, &mut attr) }?;
        Ok(attr)
    }

    pub(crate) fn query_pkey(&self, port: u8, index: u16) -> Result<u16, Errno> {
        // SAFETY: the context is open (invariant).
        let key = unsafe { self.verbs.query_pkey(self.raw, port, c_int::from(index)) }?;
        Ok(u16::from_be(key))
    }

    pub(crate) fn query_gid(&self, port: u8, index: u32) -> Result<RawGid, Errno> {
        let mut entry = ffi::GidEntry::default();
        // SAFETY: the context is open (invariant).
        unsafe {
            self.verbs
                .query_gid(self.raw, u32::from(port), index, &mut entry)
        }?;
        Ok(raw_gid(&entry))
    }

    /// Every filled line, of every port; at most `max`.
    pub(crate) fn query_gid_table(&self, max: usize) -> Result<Vec<RawGid>, Errno> {
        let mut entries = vec![ffi::GidEntry::default(); max];
        // SAFETY: the context is open (invariant).
        let written = unsafe { self.verbs.query_gid_table(self.raw, &mut entries) }?;
        Ok(entries.iter().take(written).map(raw_gid).collect())
    }
}

impl Drop for ContextHandle {
    fn drop(&mut self) {
        // SAFETY: open until here (invariant), and whatever was made from it held an `Arc` of this.
        let result = unsafe { self.verbs.close_device(self.raw) };
        if result.is_err() {
            // The device stays open, which harms nobody but the count of open files.
            leaked(Leak::Context);
        }
    }
}

impl fmt::Debug for ContextHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextHandle")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

fn raw_gid(entry: &ffi::GidEntry) -> RawGid {
    RawGid {
        gid: entry.gid.raw,
        index: entry.gid_index,
        port: entry.port_num,
        kind: entry.gid_type,
        ifindex: entry.ndev_ifindex,
    }
}
