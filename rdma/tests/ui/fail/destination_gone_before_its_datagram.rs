//! Where a datagram goes is there when it is posted; from then on the queue pair keeps it.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Datagram, Error, Qp, Rts, Ud, Wr};

fn late(qp: &mut Qp<Ud, Rts>, buf: Buf, to: Datagram) -> Result<(), Error> {
    let wr = Wr::send_to(buf, &to);
    drop(to);
    qp.post(wr, 1)?;
    Ok(())
}

fn main() {}
