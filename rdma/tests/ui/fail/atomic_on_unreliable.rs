//! Only reliable queue pairs have atomics.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Uc, RemoteWord, Rts, Wr};

fn count(qp: &mut Qp<Uc, Rts>, buf: Buf, there: RemoteWord) {
    let _ = qp.post(Wr::fetch_add(buf, there, 1), 0);
}

fn main() {}
