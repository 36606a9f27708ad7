//! Only a poll makes completions: a made-up one would free a buffer in flight.
#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::Completion;

fn forge() -> Completion<'static> {
    Completion { used: false }
}

fn main() {}
