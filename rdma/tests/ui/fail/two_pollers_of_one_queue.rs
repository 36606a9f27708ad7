//! What one poller finds empty, another may still hold completions of.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Cq;

fn share(cq: Cq) -> (Cq, Cq) {
    (cq.clone(), cq)
}

fn main() {}
