#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Group, Qp, Rts, Ud};

fn attach(qp: &mut Qp<Ud, Rts>, group: Group) {
    qp.attach(group);
}

fn main() {}
