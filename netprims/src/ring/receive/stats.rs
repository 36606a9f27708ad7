use crate::sys::uring::Counters;

/// What became of a pool's receives so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RxStats {
    /// Chunks that were told.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of the bytes the kernel copied: all of them, unless the rung is [`ZeroCopy`](super::Rung::ZeroCopy).
    pub copied: u64,
    /// How often a receive found no free slot (`ENOBUFS`): the pool is too small, or what is detached is kept too long.
    pub starved: u64,
    /// How often a request of the [`Multishot`](super::Rung::Multishot) rung ended without ending its receive, and was
    /// made again.
    pub rearmed: u64,
    /// How many receives go on in a simpler way than the report says, because their socket refused that.
    pub stepped_down: u64,
}

impl From<&Counters> for RxStats {
    fn from(counters: &Counters) -> Self {
        let bytes = counters.bytes.count();
        Self {
            chunks: counters.chunks.count(),
            bytes,
            copied: bytes,
            starved: counters.starved.count(),
            rearmed: counters.rearmed.count(),
            stepped_down: counters.stepped_down.count(),
        }
    }
}
