use std::sync::atomic::{AtomicU64, Ordering};

static LEAKED: AtomicU64 = AtomicU64::new(0);

/// Bytes of mappings that stay mapped for good: the kernel did not give a slot back in time, or did not unmap.
pub(crate) fn leaked_bytes() -> u64 {
    LEAKED.load(Ordering::Relaxed)
}

/// Counts a mapping that stays for good.
pub(crate) fn count(bytes: usize) {
    LEAKED.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
}
