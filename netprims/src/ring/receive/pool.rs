use std::fmt;
use std::sync::Arc;

use super::{RxReport, RxStats};
use crate::sys::uring::{GroupHandle, HEADROOM};

/// Memory to receive into: one mapping, divided into equal slots.
///
/// Cloning it shares it, also with other threads, which can watch its numbers. Who drops it while receives take from it
/// leaves it to them. The ring lets go of the memory when it next makes such a pool, or is dropped; it is unmapped when
/// no [`RxBuf`](super::RxBuf) is left either.
///
/// In a forked child all bytes are zeroes (`MADV_WIPEONFORK`, Linux 4.14), also those of an `RxBuf`.
#[derive(Clone)]
pub struct RxPool {
    pub(super) handle: GroupHandle,
    report: Arc<RxReport>,
}

impl RxPool {
    pub(super) fn new(handle: GroupHandle, report: RxReport) -> Self {
        Self {
            handle,
            report: Arc::new(report),
        }
    }

    /// One whose memory a test watches.
    #[cfg(test)]
    pub(crate) fn watched(handle: GroupHandle) -> Self {
        Self::new(handle, RxReport::new())
    }

    pub(in crate::ring) fn handle(&self) -> &GroupHandle {
        &self.handle
    }

    /// How the ring receives, and why not in a better way.
    pub fn report(&self) -> &RxReport {
        &self.report
    }

    /// What became of the receives so far.
    pub fn stats(&self) -> RxStats {
        RxStats::of(&self.handle)
    }

    /// How many slots there are; on the rung [`ZeroCopy`](super::Rung::ZeroCopy), pages.
    pub fn slots(&self) -> u32 {
        self.handle.area().slots()
    }

    /// The length of each slot, or page, in bytes; of a pool [for messages](super::RxPlan::messages), how long one may be.
    pub fn slot_len(&self) -> u32 {
        let head = if self.report.messages { HEADROOM } else { 0 };
        self.handle.area().slot_len().saturating_sub(head)
    }

    /// How many [`RxBuf`](super::RxBuf)s are out: kept, or lost by `mem::forget`. While other threads drop some it is a
    /// snapshot.
    pub fn outstanding(&self) -> u32 {
        self.handle.outstanding()
    }
}

impl fmt::Debug for RxPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RxPool")
            .field("slots", &self.slots())
            .field("slot_len", &self.slot_len())
            .field("outstanding", &self.outstanding())
            .field("rung", &self.report.rung)
            .finish_non_exhaustive()
    }
}
