//! By the next poll, a new queue pair may bear the tag of the one that a completion is of.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Cq, Error, Qp, Rc, Rts};

fn late(cq: &mut Cq, qp: &mut Qp<Rc, Rts>) -> Result<(), Error> {
    let mut kept: Vec<_> = cq.poll()?.collect();
    kept.extend(cq.poll()?);
    for completion in &mut kept {
        qp.complete(completion)?;
    }
    Ok(())
}

fn main() {}
