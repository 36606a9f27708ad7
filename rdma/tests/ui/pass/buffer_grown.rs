#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Buf;

fn grow(buf: &mut Buf) {
    buf.set_len(buf.capacity());
}

fn main() {}
