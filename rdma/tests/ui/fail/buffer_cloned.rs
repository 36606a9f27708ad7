//! A second owner of a slot would see the device write to it.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

fn twice<T: Clone>(one: T) -> (T, T) {
    (one.clone(), one)
}

fn two(buf: netprims_rdma::Buf) -> (netprims_rdma::Buf, netprims_rdma::Buf) {
    twice(buf)
}

fn main() {}
