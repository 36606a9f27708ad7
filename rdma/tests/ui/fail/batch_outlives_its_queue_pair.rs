//! A batch is posted to a queue pair that is there.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Qp, Rc, Rts, Wr};

fn late(mut qp: Qp<Rc, Rts>) {
    let mut batch = qp.batch();
    batch.push(Wr::send_inline(b"late"), 1);
    drop(qp);
    batch.post();
}

fn main() {}
