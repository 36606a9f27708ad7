//! The list of devices.

use std::ffi::{c_char, c_int};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use super::context::ContextHandle;
use super::errno::Errno;
use super::ffi;
use super::verbs::Verbs;

/// The array of devices that `ibv_get_device_list` returned.
///
/// # Invariants
///
/// `array` points to `count` device pointers, freed once, by `Drop`.
#[derive(Debug)]
pub(crate) struct DeviceList {
    verbs: Arc<dyn Verbs>,
    array: NonNull<*mut ffi::Device>,
    count: usize,
}

// SAFETY: the array and its devices are not written after the library returned them, and may be
// read and freed from any thread (promise 2 of `Verbs`).
unsafe impl Send for DeviceList {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for DeviceList {}

impl DeviceList {
    pub(crate) fn load(verbs: Arc<dyn Verbs>) -> Result<Arc<Self>, Errno> {
        let (array, count) = verbs.device_list()?;
        Ok(Arc::new(DeviceList {
            verbs,
            array,
            count,
        }))
    }

    pub(crate) fn devices(self: &Arc<Self>) -> Vec<DeviceRef> {
        // SAFETY: `array` points to `count` pointers that live as long as `self` (invariant).
        let pointers = unsafe { slice::from_raw_parts(self.array.as_ptr(), self.count) };
        let raws = pointers.iter().copied().filter_map(NonNull::new);
        raws.map(|raw| DeviceRef {
            list: Arc::clone(self),
            raw,
        })
        .collect()
    }
}

impl Drop for DeviceList {
    fn drop(&mut self) {
        // SAFETY: freed only here; every `DeviceRef` holds the list, so none is left.
        unsafe { self.verbs.free_device_list(self.array) }
    }
}

/// One device of a list.
///
/// # Invariants
///
/// `raw` is an element of `list`.
#[derive(Clone, Debug)]
pub(crate) struct DeviceRef {
    list: Arc<DeviceList>,
    raw: NonNull<ffi::Device>,
}

// SAFETY: see `DeviceList`.
unsafe impl Send for DeviceRef {}
// SAFETY: see `DeviceList`.
unsafe impl Sync for DeviceRef {}

/// What the list says about a device.
#[derive(Clone, Debug)]
pub(crate) struct DeviceInfo {
    pub(crate) name: String,
    pub(crate) uverbs_name: String,
    /// Its folder in sysfs.
    pub(crate) sysfs: String,
    pub(crate) node_type: c_int,
    pub(crate) transport: c_int,
}

impl DeviceRef {
    pub(crate) fn info(&self) -> DeviceInfo {
        // SAFETY: the device lives as long as the list that `self` holds, and nobody writes to it.
        let raw = unsafe { self.raw.as_ref() };
        DeviceInfo {
            name: text(&raw.name),
            uverbs_name: text(&raw.dev_name),
            sysfs: text(&raw.ibdev_path),
            node_type: raw.node_type,
            transport: raw.transport_type,
        }
    }

    pub(crate) fn open(&self) -> Result<Arc<ContextHandle>, Errno> {
        let verbs = Arc::clone(&self.list.verbs);
        // SAFETY: the device is in a list that `self` keeps from being freed.
        let context = unsafe { verbs.open_device(self.raw) }?;
        let DeviceInfo {
            name, transport, ..
        } = self.info();
        // SAFETY: just opened, and given to this one owner.
        Ok(Arc::new(unsafe {
            ContextHandle::from_open(verbs, context, name, transport)
        }))
    }
}

/// The bytes before the first NUL, or all of them.
pub(super) fn text(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars
        .iter()
        .map(|c| c.to_ne_bytes()[0])
        .take_while(|&byte| byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
