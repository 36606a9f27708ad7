//! A window would give peers rights that local memory does not have.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Error, Mr, Window};

fn open(memory: &Mr) -> Result<Window, Error> {
    memory.alloc_window()
}

fn main() {}
