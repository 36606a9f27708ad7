//! A receive posted in the error state may never come back.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Stopped};

fn receive(qp: &mut Qp<Rc, Stopped>, buf: Buf) {
    let _ = qp.post_recv(buf, 0);
}

fn main() {}
