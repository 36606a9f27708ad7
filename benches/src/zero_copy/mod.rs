//! What zero-copy sends gain where they can, and what they cost where they cannot.

mod datagrams;
mod loopback;
mod sender;

pub(crate) use datagrams::{auto_small, udp_64k};
pub(crate) use loopback::auto_loopback;

use netprims::ring::{AutoPolicy, ZcPolicy};

/// The policy that finds out by itself.
const AUTO: ZcPolicy = ZcPolicy::Auto(AutoPolicy::new());
