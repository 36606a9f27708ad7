#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Buf, Mr};

fn two(memory: &Mr) -> Option<(Buf, Buf)> {
    Some((memory.take()?, memory.take()?))
}

fn main() {}
