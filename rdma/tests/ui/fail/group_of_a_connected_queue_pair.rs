//! Only datagrams go to groups.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Group, Qp, Rc, Rts};

fn attach(qp: &mut Qp<Rc, Rts>, group: Group) {
    qp.attach(group);
}

fn main() {}
