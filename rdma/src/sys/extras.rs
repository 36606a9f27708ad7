//! What a device has beyond the usual limits.

use std::mem;

use super::context::ContextHandle;
use super::errno::Errno;
use super::ffi;

/// Bits of `device_cap_flags_ex`: of `enum ib_uverbs_device_cap_flags` in the kernel's
/// `rdma/ib_user_verbs.h`, from Linux 6.2 on.
mod device_cap {
    pub(super) const FLUSH_GLOBAL: u64 = 1 << 38;
    pub(super) const FLUSH_PERSISTENT: u64 = 1 << 39;
    pub(super) const ATOMIC_WRITE: u64 = 1 << 40;
}

/// What a device has beyond its limits; zeros where its driver does not say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extras {
    capabilities: u64,
    paging: u64,
    pub(crate) timestamp_mask: u64,
    pub(crate) core_clock_khz: u64,
}

impl Extras {
    /// Whether it can write eight bytes of a peer's at once.
    pub(crate) const fn has_atomic_write(&self) -> bool {
        self.capabilities & device_cap::ATOMIC_WRITE != 0
    }

    /// Whether memory need not be pinned for it.
    pub(crate) const fn has_paging_on_demand(&self) -> bool {
        self.paging & ffi::ODP_SUPPORT != 0
    }

    /// Whether it can flush to where all of the peer's machine sees it.
    pub(crate) const fn has_global_flush(&self) -> bool {
        self.capabilities & device_cap::FLUSH_GLOBAL != 0
    }

    /// Whether it can flush to memory that outlives the power.
    pub(crate) const fn has_persistent_flush(&self) -> bool {
        self.capabilities & device_cap::FLUSH_PERSISTENT != 0
    }
}

impl ContextHandle {
    pub(crate) fn query_extras(&self) -> Result<Extras, Errno> {
        // SAFETY: integers and arrays of them: zero is a valid value.
        let mut attr: ffi::DeviceAttrEx = unsafe { mem::zeroed() };
        // SAFETY: the context is open (invariant).
        match unsafe { self.verbs().query_device_ex(self.raw(), &mut attr) } {
            Ok(()) => Ok(Extras {
                capabilities: attr.device_cap_flags_ex,
                paging: attr.odp_caps.general_caps,
                timestamp_mask: attr.completion_timestamp_mask,
                core_clock_khz: attr.hca_core_clock,
            }),
            // Nothing beyond the usual.
            Err(errno) if [libc::EOPNOTSUPP, libc::ENOSYS].contains(&errno.number()) => {
                Ok(Extras::default())
            }
            Err(errno) => Err(errno),
        }
    }

    /// What the device's clock says, in its ticks; `None` if its provider filled in nothing.
    pub(crate) fn read_clock(&self) -> Result<Option<u64>, Errno> {
        // SAFETY: integers: zero is a valid value.
        let mut values: ffi::ValuesEx = unsafe { mem::zeroed() };
        values.comp_mask = ffi::VALUES_MASK_RAW_CLOCK;
        // SAFETY: the context is open (invariant).
        unsafe { self.verbs().query_rt_values(self.raw(), &mut values) }?;
        let is_filled = values.comp_mask & ffi::VALUES_MASK_RAW_CLOCK != 0;
        // Providers put the ticks, whatever they are of, into the nanoseconds, and no seconds.
        let seconds = u64::try_from(values.raw_clock.tv_sec).unwrap_or(0);
        let ticks = u64::try_from(values.raw_clock.tv_nsec).unwrap_or(0);
        Ok(is_filled.then(|| seconds.wrapping_mul(1_000_000_000).wrapping_add(ticks)))
    }
}
