#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::ExposedMr;

fn flags(memory: &ExposedMr) -> &[std::sync::atomic::AtomicU64] {
    memory.words()
}

fn main() {}
