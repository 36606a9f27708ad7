//! What must come of each option.

mod sockets;
mod transports;

use std::time::Duration;

use netprims::tuning::{
    Clock, Congestion, Dscp, Interface, PathMtu, PortRange, Timestamping, Tuning, TxTime, Ulp,
};

use super::cell::{
    Cell, Row, back, differs, differs_to, forced, granted, invalid, no_socket, off_again,
    privileged, row,
};
use super::raw::Raw;
use super::{On, Want};

/// A name that is right, at compile time.
macro_rules! right {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(_) => panic!("a valid value"),
        }
    };
}

const ASK: Tuning = Tuning::new();
const LOOPBACK: Interface = right!(Interface::new("lo"));
const NO_SUCH: Interface = right!(Interface::new("no-such-device"));
const PORTS: PortRange = right!(PortRange::new(40_000, 40_999));
const ALL_PORTS: PortRange = right!(PortRange::new(1, 65_535));
const HIGHEST: Dscp = right!(Dscp::new(63));
const RENO: Congestion = right!(Congestion::new("reno"));
const NOPE: Congestion = right!(Congestion::new("nope"));
const STAMPS: Timestamping = Timestamping::RX_SOFTWARE.and(Timestamping::SOFTWARE);

const STAMPS_OF_ALL_KINDS: Timestamping = Timestamping::RX_HARDWARE
    .and(Timestamping::RX_SOFTWARE)
    .and(Timestamping::TX_HARDWARE)
    .and(Timestamping::TX_SOFTWARE)
    .and(Timestamping::TX_SCHED)
    .and(Timestamping::RAW_HARDWARE)
    .and(Timestamping::SOFTWARE)
    .and(Timestamping::OPT_ID)
    .and(Timestamping::OPT_TSONLY);

const RAW_STAMPS: Raw =
    Raw::Numbers(&[(libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE) as i64]);
const RAW_STAMPS_OF_ALL_KINDS: Raw = Raw::Numbers(&[(libc::SOF_TIMESTAMPING_RX_HARDWARE
    | libc::SOF_TIMESTAMPING_RX_SOFTWARE
    | libc::SOF_TIMESTAMPING_TX_HARDWARE
    | libc::SOF_TIMESTAMPING_TX_SOFTWARE
    | libc::SOF_TIMESTAMPING_TX_SCHED
    | libc::SOF_TIMESTAMPING_RAW_HARDWARE
    | libc::SOF_TIMESTAMPING_SOFTWARE
    | libc::SOF_TIMESTAMPING_OPT_ID
    | libc::SOF_TIMESTAMPING_OPT_TSONLY)
    as i64]);

const SYSTEM: Want = Want::System("CAP_NET_ADMIN");
const NETWORK: Want = Want::Network("CAP_NET_RAW or CAP_NET_ADMIN");

const SOCKET: i32 = libc::SOL_SOCKET;
const IP: i32 = libc::IPPROTO_IP;
const IPV6: i32 = libc::IPPROTO_IPV6;
const TCP: i32 = libc::IPPROTO_TCP;
const UDP: i32 = libc::IPPROTO_UDP;

/// Every option, in the order they are set.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    sockets::ROWS.iter().chain(transports::ROWS)
}
