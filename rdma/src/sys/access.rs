//! How memory is registered, apart from who may use it.

use std::ffi::c_int;

use super::ffi;

/// Bits of `enum ibv_access_flags` that give nobody a right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessOptions(c_int);

impl AccessOptions {
    /// Writes of the device may become visible in another order than they were made.
    pub(crate) const fn relaxed_ordering(self) -> Self {
        AccessOptions(self.0 | ffi::ACCESS_RELAXED_ORDERING)
    }

    /// Pages are not pinned: the device faults them in.
    pub(crate) const fn on_demand(self) -> Self {
        AccessOptions(self.0 | ffi::ACCESS_ON_DEMAND)
    }

    /// As it was, but pinned.
    pub(crate) const fn pinned(self) -> Self {
        AccessOptions(self.0 & !ffi::ACCESS_ON_DEMAND)
    }

    pub(crate) const fn is_on_demand(self) -> bool {
        self.0 & ffi::ACCESS_ON_DEMAND != 0
    }

    pub(super) const fn bits(self) -> c_int {
        self.0
    }
}
