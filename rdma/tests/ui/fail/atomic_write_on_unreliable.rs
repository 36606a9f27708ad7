//! Only reliable queue pairs have atomic writes.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Qp, RemoteWord, Rts, Uc, Wr};

fn publish(qp: &mut Qp<Uc, Rts>, there: RemoteWord) {
    let _ = qp.post_extended(Wr::atomic_write([1; 8], there), 0);
}

fn main() {}
