//! A second owner of a slot would see the device write to it.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Buf;

fn two(buf: Buf) -> (Buf, Buf) {
    (buf.clone(), buf)
}

fn main() {}
