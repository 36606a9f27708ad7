//! A queue pair without a port takes no receives.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Reset};

fn receive(qp: &mut Qp<Rc, Reset>, buf: Buf) {
    let _ = qp.post_recv(buf, 0);
}

fn main() {}
