#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Error, Qp, Rc, RemoteAccess, Rts, Window, Wr};

fn twice(qp: &mut Qp<Rc, Rts>, window: &mut Window) -> Result<(), Error> {
    let (first, _) = Wr::bind(window, 0..8, RemoteAccess::READ)?;
    qp.post_bind(first, 1)?;
    let (second, _) = Wr::bind(window, 8..16, RemoteAccess::READ)?;
    qp.post_bind(second, 2)?;
    Ok(())
}

fn main() {}
