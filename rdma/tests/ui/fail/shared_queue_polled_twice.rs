//! Completions of a shared receive queue are taken by one.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Srq;

fn two(srq: &Srq) -> (Srq, &Srq) {
    (srq.clone(), srq)
}

fn main() {}
