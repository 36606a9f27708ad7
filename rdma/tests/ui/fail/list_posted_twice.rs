//! A list moves as its buffers do.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{BufList, Qp, Rc, Rts, Wr};

fn send(qp: &mut Qp<Rc, Rts>, list: BufList) {
    let _ = qp.post(Wr::send(list), 0);
    let _ = qp.post(Wr::send(list), 1);
}

fn main() {}
