//! Builders and sockets: what they open, refuse, and hand over to other crates.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

#[path = "../again/mod.rs"]
mod again;
#[path = "../descriptors/mod.rs"]
mod descriptors;
#[path = "../netns/mod.rs"]
mod netns;

#[expect(
    unsafe_code,
    reason = "a counting allocator, and calls that are refused"
)]
#[path = "../sys"]
mod sys {
    pub(crate) mod counting_allocator;
    pub(crate) mod seccomp;
}

mod allocations;
mod conversions;
mod tcp;
mod udp;
mod unix;

#[global_allocator]
static ALLOCATOR: sys::counting_allocator::Counting = sys::counting_allocator::Counting;
