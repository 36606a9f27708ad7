//! A borrow may end, or be forgotten, before the device is done.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Pd;

fn register(pd: &Pd, bytes: &'static mut [u8]) {
    pd.registration().local_owned(bytes, 64);
}

fn main() {}
