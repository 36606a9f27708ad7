#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Init, Qp, Rc, RtrAttr};

fn connect(qp: Qp<Rc, Init>, attr: &RtrAttr) {
    if let Err(failed) = qp.rtr(attr) {
        let _ = failed.qp.rtr(attr);
    }
}

fn main() {}
