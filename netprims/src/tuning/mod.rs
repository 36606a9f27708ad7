//! Tuning that tells what the kernel granted.
//!
//! The kernel clamps, ignores and refuses socket options, mostly without a word. [`Tuning`] says what a service wants,
//! [`Tuning::apply`] asks for it and reads it back, and the [`Report`] says per option what was requested, what is in
//! effect and, where they differ, why and what would lift it.
//!
//! ```
//! use std::net::UdpSocket;
//! use netprims::tuning::Tuning;
//!
//! const TUNING: Tuning = Tuning::new().receive_buffer(1 << 29);
//!
//! let socket = UdpSocket::bind("127.0.0.1:0")?;
//! let report = TUNING.apply(&socket)?;
//! for difference in report.differences() {
//!     // SO_RCVBUF: 536870912 bytes requested, 8388608 bytes in effect: net.core.rmem_max is 4194304; …
//!     println!("{difference}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A new option
//!
//! is one file in `options/` (its setter with the docs, how it is set and read, why it can differ), one field of
//! `Tuning`, and one line in the table `options::ALL`.

mod apply;
mod congestion;
mod difference;
mod environment;
mod moment;
mod options;
mod report;
mod spec;
mod value;
mod warning;

pub use congestion::{Congestion, InvalidCongestion};
pub use difference::{Cause, Difference, Limit, Unseen};
pub use moment::Moment;
pub use report::{Outcome, Report};
pub use value::Value;
pub use warning::Warning;

/// The socket options a service wants. A plain value: `const`-buildable, comparable, and with the feature `serde`
/// part of a configuration file.
///
/// An option that was not asked for is not touched. Each option has a setter, documented with unit, range, default,
/// privilege and the moment it must be set.
///
/// ```
/// use std::time::Duration;
/// use netprims::tuning::Tuning;
///
/// const LOW_LATENCY: Tuning = Tuning::new().nodelay(true).busy_poll(Duration::from_micros(50));
/// ```
///
/// With `serde`, fields are named after the setters; `busy_poll` is `busy_poll_us`, in microseconds. Unknown fields are
/// refused, so that a typing error in a configuration does not go unnoticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Tuning {
    strict: bool,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    receive_buffer: Option<u32>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    send_buffer: Option<u32>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    nodelay: Option<bool>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    reuse_port: Option<bool>,
    #[cfg_attr(
        feature = "serde",
        serde(rename = "busy_poll_us", with = "value::microseconds")
    )]
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    busy_poll: Option<std::time::Duration>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    congestion: Option<Congestion>,
}

impl Tuning {
    /// Asks for nothing.
    pub const fn new() -> Self {
        Self {
            strict: false,
            receive_buffer: None,
            send_buffer: None,
            nodelay: None,
            reuse_port: None,
            busy_poll: None,
            congestion: None,
        }
    }

    /// Whether a difference between requested and effective is an error of [`Tuning::apply`]. Default: no.
    ///
    /// Warnings are no differences and never an error.
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }
}
