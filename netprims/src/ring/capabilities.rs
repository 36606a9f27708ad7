use crate::sys::uring::Setup;

/// What the kernel offered this ring, found by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Capabilities {
    /// Zero-copy sends (Linux 6.0). Without, every send is plain.
    pub zero_copy: bool,
    /// The report whether a zero-copy send copied (Linux 6.2, and 6.1 as it is maintained). Without, usage is unknown.
    pub usage_report: bool,
    /// Completions are prepared on the ring's thread when it polls (`IORING_SETUP_DEFER_TASKRUN`, Linux 6.1). Without,
    /// they interrupt it.
    pub deferred_work: bool,
    /// Receives that fill several slots with one completion (Linux 6.10).
    pub bundles: bool,
}

impl From<Setup> for Capabilities {
    fn from(setup: Setup) -> Self {
        Self {
            zero_copy: setup.zero_copy,
            usage_report: setup.usage,
            deferred_work: setup.deferred,
            bundles: setup.bundles,
        }
    }
}
