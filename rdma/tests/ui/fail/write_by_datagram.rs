//! Datagrams write no memory.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, RemoteSlice, Rts, Ud, Wr};

fn write(qp: &mut Qp<Ud, Rts>, buf: Buf, there: RemoteSlice) {
    let _ = qp.post(Wr::write(buf, there), 0);
}

fn main() {}
