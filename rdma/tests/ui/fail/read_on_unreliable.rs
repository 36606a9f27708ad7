//! Only reliable queue pairs read.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Uc, RemoteSlice, Rts, Wr};

fn read(qp: &mut Qp<Uc, Rts>, buf: Buf, there: RemoteSlice) {
    let _ = qp.post(Wr::read(buf, there), 0);
}

fn main() {}
