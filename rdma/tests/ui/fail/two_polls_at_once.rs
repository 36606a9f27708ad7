//! Two polls of one queue at once would wait for each other in some drivers.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Cq, Error};

fn both(cq: &mut Cq) -> Result<usize, Error> {
    let first = cq.poll()?;
    let second = cq.poll()?;
    Ok(first.count() + second.count())
}

fn main() {}
