//! While a batch is put together, its queue pair posts nothing else.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Rts, Wr};

fn send(qp: &mut Qp<Rc, Rts>, first: Buf, second: Buf) {
    let mut batch = qp.batch();
    let _ = batch.push(Wr::send(first), 0);
    let _ = qp.post_send(second, 1);
    let _ = batch.post();
}

fn main() {}
