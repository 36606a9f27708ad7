//! A reference into a buffer must end before the device gets it.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Rts};

fn send(qp: &mut Qp<Rc, Rts>, mut buf: Buf) {
    let bytes: &mut [u8] = &mut buf;
    let _ = qp.post_send(buf, 0);
    bytes.fill(0);
}

fn main() {}
