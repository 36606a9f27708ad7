//! A queue pair that was reset must be connected anew.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Error, Qp, Rc, Rts};

fn again(qp: Qp<Rc, Rts>, buf: Buf) -> Result<(), Error> {
    let (mut qp, _) = qp.reset()?;
    let _ = qp.post_send(buf, 0);
    Ok(())
}

fn main() {}
