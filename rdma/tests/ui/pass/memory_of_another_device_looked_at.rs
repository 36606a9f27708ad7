#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::DmabufMr;

fn look(memory: &DmabufMr) {
    memory.remote();
}

fn main() {}
