#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Qp, Rc, Rts};

fn send(qp: &mut Qp<Rc, Rts>) {
    let _ = qp.batch().post();
    let _ = qp.batch().post();
}

fn main() {}
