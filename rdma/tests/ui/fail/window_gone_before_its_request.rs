//! The window that a request binds is there when it is posted.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Error, Qp, Rc, RemoteAccess, Rts, Window, Wr};

fn late(qp: &mut Qp<Rc, Rts>, mut window: Window) -> Result<(), Error> {
    let (wr, _) = Wr::bind(&mut window, 0..8, RemoteAccess::READ)?;
    drop(window);
    qp.post_bind(wr, 1)?;
    Ok(())
}

fn main() {}
