#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use std::sync::atomic::AtomicU64;

use netprims_rdma::ExposedMr;

fn words(memory: &ExposedMr) -> &[AtomicU64] {
    memory.words()
}

fn main() {}
