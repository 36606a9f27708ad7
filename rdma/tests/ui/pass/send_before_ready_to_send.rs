#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Rts};

fn send(qp: &mut Qp<Rc, Rts>, buf: Buf) {
    let _ = qp.post_send(buf, 0);
}

fn main() {}
