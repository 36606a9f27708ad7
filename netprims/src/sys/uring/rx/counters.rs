use std::sync::atomic::{AtomicU64, Ordering};

/// What became of a pool's receives so far. The ring counts, and anybody may look.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Chunks that were told.
    pub(crate) chunks: Counter,
    /// Their bytes.
    pub(crate) bytes: Counter,
    /// Receives that found no free slot.
    pub(crate) starved: Counter,
    /// Requests that ended without ending their receive, and were made again.
    pub(crate) rearmed: Counter,
    /// Receives that went on in a simpler way than the pool's, which their socket refused.
    pub(crate) stepped_down: Counter,
    /// Bytes that the kernel copied.
    pub(crate) copied: Counter,
    /// How often the kernel was told to take pages back.
    pub(crate) flushed: Counter,
}

impl Counters {
    /// Counts a chunk of so many bytes, so many of which the kernel has copied into it.
    #[inline]
    pub(in crate::sys::uring) fn told(&self, bytes: u64, copied: u64) {
        self.chunks.add(1);
        self.bytes.add(bytes);
        self.copied.add(copied);
    }
}

/// A number that one thread counts up.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Only the ring counts: there is no other writer whose count could be lost between the load and the store.
    #[inline]
    pub(in crate::sys::uring) fn add(&self, more: u64) {
        let count = self.0.load(Ordering::Relaxed).wrapping_add(more);
        self.0.store(count, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
