//! One buffer cannot be in two places.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Rts};

fn receive(qp: &mut Qp<Rc, Rts>, buf: Buf) {
    let _ = qp.post_recv(buf, 0);
    let _ = qp.post_recv(buf, 1);
}

fn main() {}
