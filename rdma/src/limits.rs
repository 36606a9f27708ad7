//! What a device can do.

use crate::sys;

/// What a device says about itself and its limits.
#[doc(alias = "ibv_device_attr")]
#[derive(Clone, Debug)]
pub struct DeviceLimits {
    raw: sys::DeviceLimits,
}

/// Limits are what the driver claims; a request within them may still fail for want of memory.
/// A negative number from a driver counts as 0.
impl DeviceLimits {
    pub(crate) fn new(raw: sys::DeviceLimits) -> Self {
        DeviceLimits { raw }
    }

    /// The version of the firmware, if the driver gives one.
    #[must_use]
    pub fn firmware(&self) -> &str {
        &self.raw.firmware
    }

    /// The node's GUID, a 64-bit number unique to the device.
    #[must_use]
    pub fn node_guid(&self) -> u64 {
        self.raw.node_guid
    }

    /// Vendor and part numbers.
    #[must_use]
    pub fn vendor(&self) -> (u32, u32) {
        (self.raw.attr.vendor_id, self.raw.attr.vendor_part_id)
    }

    /// The largest memory region, in bytes.
    #[must_use]
    pub fn max_mr_size(&self) -> u64 {
        self.raw.attr.max_mr_size
    }

    /// How many queue pairs there may be.
    #[must_use]
    pub fn max_qp(&self) -> u32 {
        count(self.raw.attr.max_qp)
    }

    /// The deepest queue of a queue pair.
    #[must_use]
    pub fn max_qp_depth(&self) -> u32 {
        count(self.raw.attr.max_qp_wr)
    }

    /// How many pieces a work request may gather or scatter.
    #[must_use]
    pub fn max_sge(&self) -> u32 {
        count(self.raw.attr.max_sge)
    }

    /// How many completion queues there may be.
    #[must_use]
    pub fn max_cq(&self) -> u32 {
        count(self.raw.attr.max_cq)
    }

    /// How many entries a completion queue may have.
    #[must_use]
    pub fn max_cq_capacity(&self) -> u32 {
        count(self.raw.attr.max_cqe)
    }

    /// How many memory regions there may be.
    #[must_use]
    pub fn max_mr(&self) -> u32 {
        count(self.raw.attr.max_mr)
    }

    /// How many protection domains there may be.
    #[must_use]
    pub fn max_pd(&self) -> u32 {
        count(self.raw.attr.max_pd)
    }

    /// How many ports the device has; they are numbered from 1.
    #[must_use]
    pub fn ports(&self) -> u8 {
        self.raw.attr.ports
    }
}

fn count(raw: i32) -> u32 {
    u32::try_from(raw).unwrap_or(0)
}
