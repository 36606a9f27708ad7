#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Cq, Error};

fn both(cq: &mut Cq) -> Result<usize, Error> {
    let first = cq.poll()?.count();
    let second = cq.poll()?.count();
    Ok(first + second)
}

fn main() {}
