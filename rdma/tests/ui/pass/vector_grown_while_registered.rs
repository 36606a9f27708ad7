#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Pd;

fn grow(pd: &Pd, bytes: Vec<u8>) {
    let memory = pd.registration().local_owned(bytes, 64).unwrap();
    let mut bytes = memory.into_owner().unwrap();
    bytes.push(1);
}

fn main() {}
