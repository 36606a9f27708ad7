//! A datagram has an address.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rts, Ud, Wr};

fn send(qp: &mut Qp<Ud, Rts>, buf: Buf) {
    let _ = qp.post(Wr::send(buf), 0);
}

fn main() {}
