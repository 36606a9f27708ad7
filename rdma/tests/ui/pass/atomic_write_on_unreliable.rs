#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Qp, Rc, RemoteWord, Rts, Wr};

fn publish(qp: &mut Qp<Rc, Rts>, there: RemoteWord) {
    let _ = qp.post_extended(Wr::atomic_write([1; 8], there), 0);
}

fn main() {}
