#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Srq;

fn one(srq: &Srq) -> (u32, &Srq) {
    (srq.depth(), srq)
}

fn main() {}
