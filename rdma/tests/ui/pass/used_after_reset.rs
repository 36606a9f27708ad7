#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Error, PortNum, Qp, Rc, Rts};

fn again(qp: Qp<Rc, Rts>, buf: Buf) -> Result<(), Error> {
    let (qp, _) = qp.reset()?;
    let _ = qp.init(PortNum::FIRST)?.post_recv(buf, 0);
    Ok(())
}

fn main() {}
