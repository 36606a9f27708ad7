//! The device owns a posted buffer: it may be writing to it.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, Rts};

fn peek(qp: &mut Qp<Rc, Rts>, buf: Buf) -> Option<u8> {
    let _ = qp.post_recv(buf, 0);
    buf.first().copied()
}

fn main() {}
