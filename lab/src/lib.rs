//! What the lab's two sides share: the words spoken between host and guest, and the census of
//! kernel objects by which a leak is seen.
//!
//! The host side (`cargo xtask lab`) boots a virtual machine and hands it a [`Job`]; the agent in
//! the guest answers with a stream of [`Event`]s, one JSON object a line.

mod census;
mod protocol;

pub use census::{Census, Difference};
pub use protocol::{
    Event, FULL_ENV, GateReport, HEARTBEAT, Harness, Job, REPORT_ENV, SHARE, TestCase, Verdict,
    Work,
};
