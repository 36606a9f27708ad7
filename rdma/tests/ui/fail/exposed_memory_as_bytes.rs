//! Memory that a peer may write is never plain bytes.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::ExposedMr;

fn bytes(memory: &ExposedMr) -> &[u8] {
    memory
}

fn main() {}
