//! What could not be released, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What this process has kept on purpose, for good, because releasing it was refused or would not
/// have been safe. All zero unless a driver misbehaved.
///
/// Each number counts what itself could not be released. What that was made from stays too, and is
/// not counted again. Nor is what the program forgot (`mem::forget`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leaks {
    /// Queue pairs that the device refused to destroy, or to detach from a group.
    pub qps: u64,
    /// Completion queues that the device refused to destroy.
    pub cqs: u64,
    /// Completion channels that the device refused to destroy.
    pub channels: u64,
    /// Protection domains that the device refused to free.
    pub pds: u64,
    /// Memory regions that the device refused to deregister.
    pub regions: u64,
    /// Memory windows that the device refused to free.
    pub windows: u64,
    /// Shared receive queues that the device refused to destroy.
    pub srqs: u64,
    /// Address handles that the device refused to destroy.
    pub ahs: u64,
    /// Open devices that could not be closed.
    pub contexts: u64,
    /// Bytes of memory that nobody can use any more: whole regions, and buffers in flight on queue
    /// pairs that could not be destroyed or were poisoned.
    pub bytes: u64,
}

/// One thing that stays for good.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leak {
    Qp,
    Cq,
    Channel,
    Pd,
    Region,
    Window,
    Srq,
    Ah,
    Context,
    Bytes(usize),
}

#[derive(Debug)]
struct Counters {
    qps: AtomicU64,
    cqs: AtomicU64,
    channels: AtomicU64,
    pds: AtomicU64,
    regions: AtomicU64,
    windows: AtomicU64,
    srqs: AtomicU64,
    ahs: AtomicU64,
    contexts: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    const fn new() -> Self {
        Counters {
            qps: AtomicU64::new(0),
            cqs: AtomicU64::new(0),
            channels: AtomicU64::new(0),
            pds: AtomicU64::new(0),
            regions: AtomicU64::new(0),
            windows: AtomicU64::new(0),
            srqs: AtomicU64::new(0),
            ahs: AtomicU64::new(0),
            contexts: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }
}

#[cfg(not(test))]
static COUNTERS: Counters = Counters::new();

// Tests run side by side in one process, and each counts for itself.
#[cfg(test)]
thread_local! {
    static COUNTERS: Counters = const { Counters::new() };
}

fn with<R>(body: impl FnOnce(&Counters) -> R) -> R {
    #[cfg(not(test))]
    return body(&COUNTERS);
    #[cfg(test)]
    COUNTERS.with(body)
}

/// Counts.
#[cold]
pub(super) fn leaked(what: Leak) {
    with(|counters| {
        let (counter, by) = match what {
            Leak::Qp => (&counters.qps, 1),
            Leak::Cq => (&counters.cqs, 1),
            Leak::Channel => (&counters.channels, 1),
            Leak::Pd => (&counters.pds, 1),
            Leak::Region => (&counters.regions, 1),
            Leak::Window => (&counters.windows, 1),
            Leak::Srq => (&counters.srqs, 1),
            Leak::Ah => (&counters.ahs, 1),
            Leak::Context => (&counters.contexts, 1),
            Leak::Bytes(bytes) => (&counters.bytes, u64::try_from(bytes).unwrap_or(u64::MAX)),
        };
        counter.fetch_add(by, Ordering::Relaxed);
    });
}

/// What this process has kept on purpose so far, because it could not be released safely.
#[must_use]
pub fn leaks() -> Leaks {
    with(|counters| Leaks {
        qps: counters.qps.load(Ordering::Relaxed),
        cqs: counters.cqs.load(Ordering::Relaxed),
        channels: counters.channels.load(Ordering::Relaxed),
        pds: counters.pds.load(Ordering::Relaxed),
        regions: counters.regions.load(Ordering::Relaxed),
        windows: counters.windows.load(Ordering::Relaxed),
        srqs: counters.srqs.load(Ordering::Relaxed),
        ahs: counters.ahs.load(Ordering::Relaxed),
        contexts: counters.contexts.load(Ordering::Relaxed),
        bytes: counters.bytes.load(Ordering::Relaxed),
    })
}
