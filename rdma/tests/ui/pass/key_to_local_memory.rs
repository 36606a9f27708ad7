#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{ExposedMr, RemoteSlice};

fn key(memory: &ExposedMr) -> RemoteSlice {
    memory.remote()
}

fn main() {}
