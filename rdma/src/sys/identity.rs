//! What events call the objects that they are about.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Another number than ever before, of whatever this process makes; never 0.
fn next() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Tells the queue pairs of this process apart, for good: unlike its number on the wire, that of a queue
/// pair that is gone is never another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QpIdentity {
    number: usize,
    qpn: u32,
}

impl QpIdentity {
    /// What a queue pair is created with.
    pub(super) fn number_of_next() -> usize {
        next()
    }

    pub(super) fn new(number: usize, qpn: u32) -> Self {
        QpIdentity { number, qpn }
    }

    /// The number that it has, or had, on the wire.
    pub(crate) fn wire_number(self) -> u32 {
        self.qpn
    }
}

/// Tells the shared receive queues of this process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SrqNumber(usize);

impl SrqNumber {
    /// Another one than ever before.
    pub(super) fn next() -> Self {
        SrqNumber(next())
    }

    pub(super) fn of(number: usize) -> Self {
        SrqNumber(number)
    }

    pub(super) fn get(self) -> usize {
        self.0
    }
}
