//! A batch is posted once.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Qp, Rc, Rts};

fn send(qp: &mut Qp<Rc, Rts>) {
    let batch = qp.batch();
    let _ = batch.post();
    let _ = batch.post();
}

fn main() {}
