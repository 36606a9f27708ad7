use crate::sys::uring::GroupHandle;

/// What became of a pool's receives so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RxStats {
    /// Chunks that were told.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of the bytes the kernel copied: all of them, unless the rung is [`ZeroCopy`](super::Rung::ZeroCopy). There
    /// the kernel counts, but for bytes that lie behind a packet's headers; `None` if it does not count (Linux 7.2 does,
    /// 6.18 does not).
    pub copied: Option<u64>,
    /// How often a receive found no free slot (`ENOBUFS`) or page (`ENOMEM`): the pool is too small, or what is detached is kept too long.
    pub starved: u64,
    /// How often a request of a higher rung than [`Plain`](super::Rung::Plain) ended without ending its receive, and was
    /// made again: for want of a slot, or of room in the completion queue (`ENOSPC`).
    pub rearmed: u64,
    /// How many receives go on in a simpler way than the report says, because their socket refused that;
    /// [`Ring::receive_report`](crate::ring::Ring::receive_report) says why.
    pub stepped_down: u64,
    /// How often the kernel was told to take back the pages of zero-copy receive (`ZCRX_CTRL_FLUSH_RQ`).
    pub flushed: u64,
}

impl RxStats {
    pub(super) fn of(handle: &GroupHandle) -> Self {
        let counters = handle.counters();
        Self {
            chunks: counters.chunks.count(),
            bytes: counters.bytes.count(),
            copied: handle.counts_copies().then(|| counters.copied.count()),
            starved: counters.starved.count(),
            rearmed: counters.rearmed.count(),
            stepped_down: counters.stepped_down.count(),
            flushed: counters.flushed.count(),
        }
    }
}
