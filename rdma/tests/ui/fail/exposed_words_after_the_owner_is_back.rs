//! Once memory is its owner's again, it is plain: no words of it are left.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use std::sync::atomic::Ordering;

use netprims_rdma::{ExposedMr, Owned};

fn take_back(memory: Owned<ExposedMr, Vec<u64>>) {
    let words = memory.words();
    let owner = memory.into_owner().unwrap();
    words[0].store(owner[0], Ordering::Relaxed);
}

fn main() {}
