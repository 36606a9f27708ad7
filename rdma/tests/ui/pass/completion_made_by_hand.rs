#![allow(dead_code, unused_must_use, reason = "compiled, not run")]

use netprims_rdma::{Completion, Completions};

fn honest<'cq>(polled: &mut Completions<'cq>) -> Option<Completion<'cq>> {
    polled.next()
}

fn main() {}
