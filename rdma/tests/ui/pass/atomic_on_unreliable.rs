#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Qp, Rc, RemoteWord, Rts, Wr};

fn count(qp: &mut Qp<Rc, Rts>, buf: Buf, there: RemoteWord) {
    let _ = qp.post(Wr::fetch_add(buf, there, 1), 0);
}

fn main() {}
