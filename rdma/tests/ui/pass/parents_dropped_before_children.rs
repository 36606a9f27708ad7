#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Context, Cq, Mr, Pd, Qp, Rc, Rts};

// Children keep their parents: there is no wrong order to get wrong.
fn drop_in_any_order(context: Context, pd: Pd, memory: Mr, cq: Cq, qp: Qp<Rc, Rts>, buf: Buf) {
    drop(context);
    drop(pd);
    drop(memory);
    drop(cq);
    drop(qp);
    drop(buf);
}

// And all of them go where they are needed.
fn sent<T: Send + Sync + 'static>() {}

fn main() {
    sent::<(Context, Pd, Mr, Cq, Qp<Rc, Rts>, Buf)>();
    let _ = drop_in_any_order;
}
