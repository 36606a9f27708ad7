//! Words are borrowed from their memory.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use std::sync::atomic::{AtomicU64, Ordering};

use netprims_rdma::ExposedMr;

fn last(memory: ExposedMr) -> u64 {
    let words: &[AtomicU64] = memory.words();
    drop(memory);
    words[0].load(Ordering::Acquire)
}

fn main() {}
