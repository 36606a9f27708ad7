//! Memory that grows moves, and the device would go on with where it was.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Buf;

fn grow(buf: &mut Buf) {
    buf.resize(100_000, 0);
}

fn main() {}
