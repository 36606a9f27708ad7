//! A completion that a drain hands on does not outlive its batch.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use std::time::Duration;

use netprims_rdma::{Cq, Qp, Rc, Rts};

fn end(qp: Qp<Rc, Rts>, cq: &mut Cq) {
    let mut kept = Vec::new();
    let Ok(qp) = qp.stop() else { return };
    qp.drain(&mut [cq], Duration::ZERO, |completion| kept.push(completion));
}

fn main() {}
