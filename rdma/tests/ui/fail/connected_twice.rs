//! A queue pair is taken through its states once.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Init, Qp, Rc, RtrAttr};

fn connect(qp: Qp<Rc, Init>, attr: &RtrAttr) {
    let _ = qp.rtr(attr);
    let _ = qp.rtr(attr);
}

fn main() {}
