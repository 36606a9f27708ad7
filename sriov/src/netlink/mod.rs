//! The part of rtnetlink that VFs need: bytes in, values out, no system calls.
//!
//! Message layouts: `netlink(7)`, `rtnetlink(7)`, and `linux/{netlink,rtnetlink,if_link}.h`.

mod ack;
mod link;
mod session;
mod vf;
mod wire;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod oracle;

pub(crate) use link::{Link, Links, bring_up};
pub(crate) use session::{Failure, Session};
pub(crate) use vf::{VfList, read_vfs, set_vf};
pub(crate) use wire::Malformed;
