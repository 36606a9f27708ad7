//! Registered memory does not move: its owner is the region's until it is given back.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Pd;

fn grow(pd: &Pd, mut bytes: Vec<u8>) {
    let memory = pd.registration().local_owned(bytes, 64).unwrap();
    bytes.push(1);
    drop(memory);
}

fn main() {}
