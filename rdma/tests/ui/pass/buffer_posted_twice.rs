#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Rts};

fn receive(qp: &mut Qp<Rc, Rts>, buf: Buf, other: Buf) {
    let _ = qp.post_recv(buf, 0);
    let _ = qp.post_recv(other, 1);
}

fn main() {}
