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
//! `Tuning`, one line in the table `options::ALL`, and one in the table of `tests/options/rows.rs`, which a test
//! keeps in `tests/options/table.md`.

mod apply;
mod congestion;
mod difference;
mod dscp;
mod environment;
mod interface;
mod kind;
mod moment;
mod options;
mod path_mtu;
mod port_range;
mod presets;
mod report;
mod spec;
mod timestamping;
mod tx_time;
mod ulp;
mod value;
mod warning;

pub use congestion::{Congestion, InvalidCongestion};
pub use difference::{Cause, Difference, Limit, Unseen};
pub use dscp::{Dscp, InvalidDscp};
pub use interface::{Interface, InvalidInterface};
pub use kind::SocketKind;
pub use moment::Moment;
pub use path_mtu::PathMtu;
pub use port_range::{InvalidPortRange, PortRange};
pub use report::{Outcome, Report};
pub use timestamping::Timestamping;
pub use tx_time::{Clock, TxTime};
pub use ulp::Ulp;
pub use value::Value;
pub use warning::Warning;

use std::time::Duration;

macro_rules! tuning {
    (
        $(#[$about:meta])*
        plain { $($plain:ident: $kind:ty,)* }
        times { $($time:ident: $name:literal in $unit:literal,)* }
    ) => {
        $(#[$about])*
        pub struct Tuning {
            strict: bool,
            $(
                #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
                $plain: Option<$kind>,
            )*
            $(
                #[cfg_attr(feature = "serde", serde(rename = $name, with = $unit))]
                #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
                $time: Option<Duration>,
            )*
        }

        impl Tuning {
            /// Asks for nothing.
            pub const fn new() -> Self {
                Self { strict: false, $($plain: None,)* $($time: None,)* }
            }
        }
    };
}

tuning! {
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
    /// With `serde`, fields are named after the setters, and times after their unit too: `busy_poll_us`, `user_timeout_ms`,
    /// `keepalive_idle_s`, `keepalive_interval_s`, `linger_s`, `defer_accept_s`. Unknown fields are
    /// refused, so that a typing error in a configuration does not go unnoticed.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    plain {
        receive_buffer: u32,
        receive_buffer_force: u32,
        send_buffer: u32,
        send_buffer_force: u32,
        only_v6: bool,
        reuse_address: bool,
        reuse_port: bool,
        incoming_cpu: u32,
        freebind: bool,
        transparent: bool,
        interface: Interface,
        bind_address_no_port: bool,
        local_port_range: PortRange,
        mark: u32,
        dscp: Dscp,
        priority: u32,
        hop_limit: u32,
        path_mtu: PathMtu,
        receive_errors: bool,
        receive_low_water: u32,
        peek_offset: u32,
        zerocopy: bool,
        timestamping: Timestamping,
        txtime: TxTime,
        max_pacing_rate: u64,
        keepalive: bool,
        keepalive_count: u32,
        nodelay: bool,
        quickack: bool,
        cork: bool,
        notsent_lowat: u32,
        max_segment: u32,
        window_clamp: u32,
        syn_count: u32,
        fastopen: u32,
        fastopen_connect: bool,
        udp_segment: u32,
        udp_gro: bool,
        prefer_busy_poll: bool,
        busy_poll_budget: u32,
        congestion: Congestion,
        ulp: Ulp,
    }
    times {
        linger: "linger_s" in "value::seconds",
        keepalive_idle: "keepalive_idle_s" in "value::seconds",
        keepalive_interval: "keepalive_interval_s" in "value::seconds",
        user_timeout: "user_timeout_ms" in "value::milliseconds",
        defer_accept: "defer_accept_s" in "value::seconds",
        busy_poll: "busy_poll_us" in "value::microseconds",
    }
}

impl Tuning {
    /// Whether a difference between requested and effective is an error of [`Tuning::apply`]. Default: no.
    ///
    /// Warnings are no differences and never an error.
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }
}
