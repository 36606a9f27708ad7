#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Context, Cq, Error};

fn share(context: &Context) -> Result<(Cq, Cq), Error> {
    Ok((context.create_cq(1)?, context.create_cq(1)?))
}

fn main() {}
