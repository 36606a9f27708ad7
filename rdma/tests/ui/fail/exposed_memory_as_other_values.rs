//! A peer may write any bits, and not every value has all of them.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::ExposedMr;

fn flags(memory: &ExposedMr) -> &[std::sync::atomic::AtomicBool] {
    memory.words()
}

fn main() {}
