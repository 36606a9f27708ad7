#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use std::time::Duration;

use netprims_rdma::{Cq, Qp, Rc, Rts};

fn end(qp: Qp<Rc, Rts>, cq: &mut Cq) {
    let mut kept = Vec::new();
    let Ok(qp) = qp.stop() else { return };
    qp.drain(&mut [cq], Duration::ZERO, |completion| kept.push(completion.qp_number()));
}

fn main() {}
