//! A batch looks at inline bytes when it is posted.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Qp, Rc, Rts, Wr};

fn send(qp: &mut Qp<Rc, Rts>) {
    let mut batch = qp.batch();
    {
        let bytes = [1, 2, 3];
        let _ = batch.push(Wr::send_inline(&bytes), 0);
    }
    let _ = batch.post();
}

fn main() {}
