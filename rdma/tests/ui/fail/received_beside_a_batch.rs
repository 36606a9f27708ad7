//! While a batch of receives is put together, its queue pair posts nothing else.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Rts};

fn receive(qp: &mut Qp<Rc, Rts>, first: Buf, second: Buf) {
    let mut batch = qp.recv_batch();
    let _ = batch.push(first, 0);
    let _ = qp.post_recv(second, 1);
    let _ = batch.post();
}

fn main() {}
