//! Tuning that tells what the kernel granted.
//!
//! The kernel clamps, ignores and refuses socket options, mostly without a word. [`Tuning`] says what a service wants,
//! [`Tuning::apply`] asks for it and reads it back, and the [`Report`] says per option what was requested, what is in
//! effect and, where they differ, why and what would lift it.
//!
//! ```
//! use std::net::UdpSocket;
//! use netprims::tuning::{Tuning, Udp};
//!
//! const TUNING: Tuning<Udp> = Tuning::udp().receive_buffer(1 << 29);
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
//! is one file in `options/` (its setter with the docs, on which sockets it has an effect, how it is set and read, why it
//! can differ), one field of `Requests`, one line in the table `options::ALL`, and one in the table of
//! `tests/options/rows/`, which a test keeps in `tests/options/table.md`.

mod apply;
mod backlog;
mod congestion;
mod difference;
mod dscp;
mod environment;
mod interface;
mod kind;
mod kinds;
mod moment;
mod name;
mod options;
mod path_mtu;
mod port_range;
mod presets;
mod report;
mod requests;
mod sockets;
mod spec;
mod timestamping;
#[expect(
    clippy::module_inception,
    reason = "the folder's main type has its own file"
)]
mod tuning;
mod tx_time;
mod ulp;
mod value;
mod warning;

pub use congestion::{Congestion, InvalidCongestion};
pub use difference::{Cause, Difference, Limit, Unseen};
pub use dscp::{Dscp, InvalidDscp};
pub use interface::{Interface, InvalidInterface};
pub use kind::SocketKind;
pub use kinds::{Any, HasIp, HasStream, HasTcp, HasUdp, Kind, Tcp, Udp, Unix};
pub use moment::Moment;
pub use path_mtu::PathMtu;
pub use port_range::{InvalidPortRange, PortRange};
pub use report::{Outcome, Report};
pub use timestamping::Timestamping;
pub use tuning::Tuning;
pub use tx_time::{Clock, TxTime};
pub use ulp::Ulp;
pub use value::Value;
pub use warning::Warning;
