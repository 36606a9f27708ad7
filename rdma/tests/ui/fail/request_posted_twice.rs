//! A request is posted once.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Qp, Rc, Rts, Wr};

fn send(qp: &mut Qp<Rc, Rts>, wr: Wr<'_, Rc>) {
    let _ = qp.post(wr, 0);
    let _ = qp.post(wr, 1);
}

fn main() {}
