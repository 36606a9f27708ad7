#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, RemoteSlice, Rts, Uc, Wr};

fn write(qp: &mut Qp<Uc, Rts>, buf: Buf, there: RemoteSlice) {
    let _ = qp.post(Wr::write(buf, there), 0);
}

fn main() {}
