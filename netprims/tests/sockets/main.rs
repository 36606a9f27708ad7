//! Builders and sockets: what they open, refuse, and hand over to other crates.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

#[path = "../descriptors/mod.rs"]
mod descriptors;
#[path = "../netns/mod.rs"]
mod netns;

mod conversions;
mod tcp;
mod udp;
mod unix;
