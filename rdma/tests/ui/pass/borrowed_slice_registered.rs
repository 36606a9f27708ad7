#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Pd;

fn register(pd: &Pd, bytes: Box<[u8]>) {
    pd.registration().local_owned(bytes, 64);
}

fn main() {}
