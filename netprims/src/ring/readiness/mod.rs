//! Whether a receive queue of a network device is set up for zero-copy receive.
//!
//! The kernel does not set a device up for it: headers must be split from data, a queue must be taken out of receive-side
//! scaling, and a rule must steer the connections to it. [`Readiness`] looks at all that and says, for what is missing,
//! which command would help.
//!
//! This crate's zero-copy receive was tested without a device, where the kernel copies, and against a kernel of its tests'
//! making; **it was not run on hardware**. The devices that have it, as of Linux 7.2, are those of the drivers mlx5, bnxt, gve
//! and fbnic.
//!
//! ```
//! use netprims::ring::readiness::Readiness;
//!
//! let readiness = Readiness::check("lo", 0)?;
//! assert!(!readiness.is_ready(), "the loopback device has no queues to give away");
//! for finding in readiness.missing() {
//!     println!("{finding}");
//! }
//! # Ok::<(), netprims::Error>(())
//! ```

mod ethtool;
mod finding;
mod judge;
mod message;
mod report;

pub use finding::{Finding, Requirement, Verdict};
pub use report::Readiness;
