#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Datagram, Qp, Rts, Ud, Wr};

fn send(qp: &mut Qp<Ud, Rts>, buf: Buf, to: &Datagram) {
    let _ = qp.post(Wr::send_to(buf, to), 0);
}

fn main() {}
