//! A send posted before RTS may fail and be executed later all the same.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Rtr};

fn send(qp: &mut Qp<Rc, Rtr>, buf: Buf) {
    let _ = qp.post_send(buf, 0);
}

fn main() {}
