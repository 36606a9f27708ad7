#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Init};

fn receive(qp: &mut Qp<Rc, Init>, buf: Buf) {
    let _ = qp.post_recv(buf, 0);
}

fn main() {}
