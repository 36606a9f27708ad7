//! What this kernel answers when zero-copy receive is asked for, known from its version and the thread's privilege.

use netprims::ring::{NoZeroCopyRx, ZeroCopyRx};

use crate::host;

/// What a kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Has {
    /// Linux 7.2 and newer.
    Both,
    /// Between 6.15 and 6.18.
    Devices,
    Neither,
    /// Somewhere between: it did not come to the tests.
    Untold,
}

pub(crate) fn has() -> Has {
    match host::kernel() {
        (7, 2..) | (8.., _) => Has::Both,
        (6, 15..=18) => Has::Devices,
        (6, ..15) | (..6, _) => Has::Neither,
        _ => Has::Untold,
    }
}

/// What asking for this source is refused with, on this kernel and to this thread.
pub(crate) fn refusal(source: &ZeroCopyRx) -> Option<NoZeroCopyRx> {
    let has_device = *source != ZeroCopyRx::NoDevice;
    match has() {
        Has::Neither => Some(NoZeroCopyRx::KernelWithout),
        _ if !host::is_root() => Some(NoZeroCopyRx::NotPermitted),
        _ if has_device => Some(NoZeroCopyRx::DeviceWithout),
        Has::Devices => Some(NoZeroCopyRx::KernelWithoutNoDevice),
        Has::Both | Has::Untold => None,
    }
}
