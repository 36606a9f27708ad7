//! There is no key to local memory that a peer could use.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Mr, RemoteSlice};

fn key(memory: &Mr) -> RemoteSlice {
    memory.remote()
}

fn main() {}
