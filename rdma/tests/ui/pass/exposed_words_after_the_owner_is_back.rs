#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use std::sync::atomic::Ordering;

use netprims_rdma::{ExposedMr, Owned};

fn take_back(memory: Owned<ExposedMr, Vec<u64>>) {
    let words = memory.words();
    words[0].store(1, Ordering::Relaxed);
    let owner = memory.into_owner().unwrap();
    drop(owner);
}

fn main() {}
