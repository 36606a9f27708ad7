#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Error, Qp, Rc, RemoteAccess, Rts, Window, Wr};

fn late(qp: &mut Qp<Rc, Rts>, mut window: Window) -> Result<(), Error> {
    let (wr, _) = Wr::bind(&mut window, 0..8, RemoteAccess::READ)?;
    qp.post_bind(wr, 1)?;
    drop(window);
    Ok(())
}

fn main() {}
