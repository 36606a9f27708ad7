#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Qp, Rc, Rts, Wr};

fn send(qp: &mut Qp<Rc, Rts>) {
    let bytes = [1, 2, 3];
    let mut batch = qp.batch();
    let _ = batch.push(Wr::send_inline(&bytes), 0);
    let _ = batch.post();
}

fn main() {}
