//! Exposed memory that a request names is there when it is posted; from then on the request keeps it.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Error, ExposedMr, Qp, Rc, Rts, Wr};

fn late(qp: &mut Qp<Rc, Rts>, memory: ExposedMr) -> Result<(), Error> {
    let wr = Wr::send(memory.part(0..8)?);
    drop(memory);
    qp.post(wr, 1)?;
    Ok(())
}

fn main() {}
