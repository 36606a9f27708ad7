#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Cq, Error, Qp, Rc, Rts};

fn late(cq: &mut Cq, qp: &mut Qp<Rc, Rts>) -> Result<(), Error> {
    let mut kept: Vec<_> = cq.poll()?.collect();
    for completion in &mut kept {
        qp.complete(completion)?;
    }
    cq.poll()?;
    Ok(())
}

fn main() {}
