#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Error, ExposedMr, Window};

fn open(memory: &ExposedMr) -> Result<Window, Error> {
    memory.alloc_window()
}

fn main() {}
