//! Global identifiers: the addresses of a port.

mod select;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::device::Transport;
use crate::error::{Error, Result};
use crate::sys::{RawGid, netdev_name};

pub(crate) use select::select;
pub use select::{GidChoice, GidReason};

/// A 128-bit address of a port. On RoCE it is an IP address (IPv4 in its mapped form).
#[doc(alias = "ibv_gid")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gid([u8; 16]);

impl Gid {
    /// From its bytes, in network order.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Gid(bytes)
    }

    /// Its bytes, in network order.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The same bits as an IPv6 address.
    #[must_use]
    pub const fn ipv6(self) -> Ipv6Addr {
        Ipv6Addr::from_bits(u128::from_be_bytes(self.0))
    }

    /// The IPv4 address that it maps, if it maps one.
    #[must_use]
    pub const fn ipv4(self) -> Option<Ipv4Addr> {
        self.ipv6().to_ipv4_mapped()
    }

    /// Whether it is all zeros: no address.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == [0; 16]
    }
}

impl fmt::Display for Gid {
    /// As an IPv6 address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ipv6().fmt(f)
    }
}

/// The number of a line in a port's GID table, in the range that an address vector can name: 0 to
/// 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GidIndex(u8);

impl GidIndex {
    /// From a number that is certainly in range.
    #[must_use]
    pub const fn new(index: u8) -> Self {
        GidIndex(index)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u32> for GidIndex {
    type Error = Error;

    /// # Errors
    ///
    /// [`Error::OutOfRange`] above 255.
    fn try_from(index: u32) -> Result<Self> {
        let out_of_range = Error::OutOfRange {
            what: "GID index",
            value: u64::from(index),
            rule: "0 to 255",
        };
        u8::try_from(index).map(GidIndex).map_err(|_| out_of_range)
    }
}

impl fmt::Display for GidIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for GidIndex {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::Malformed {
            what: "GID index",
            text: text.to_owned(),
        };
        GidIndex::try_from(text.parse::<u32>().map_err(|_| malformed())?)
    }
}

/// A filled line of a GID table.
#[doc(alias = "ibv_gid_entry")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GidEntry {
    /// The address.
    pub gid: Gid,
    /// The line's number in its port's table.
    pub index: u32,
    /// The port's number.
    pub port: u32,
    /// Which packets it stands for.
    pub kind: GidType,
    /// The index of the network device it comes from; `None` where there is none (InfiniBand).
    pub netdev_index: Option<u32>,
}

impl GidEntry {
    pub(crate) fn new(raw: RawGid, transport: Transport) -> Self {
        let kind = match transport {
            // The kernel has no type for these, and says InfiniBand.
            Transport::Iwarp => GidType::Iwarp,
            _ => GidType::from_raw(raw.kind),
        };
        GidEntry {
            gid: Gid(raw.gid),
            index: raw.index,
            port: raw.port,
            kind,
            netdev_index: (raw.ifindex != 0).then_some(raw.ifindex),
        }
    }

    /// The name of the network device it comes from, as this thread's network namespace has it.
    #[must_use]
    pub fn netdev(&self) -> Option<String> {
        netdev_name(self.netdev_index?)
    }
}

impl fmt::Display for GidEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GID {} = {} ({}", self.index, self.gid, self.kind)?;
        match self.netdev() {
            Some(netdev) => write!(f, ", {netdev})"),
            None => f.write_str(")"),
        }
    }
}

crate::raw::driver_enum! {
    /// Which packets a GID stands for.
    #[doc(alias = "ibv_gid_type")]
    pub enum GidType {
        /// InfiniBand.
        InfiniBand = 0, "IBV_GID_TYPE_IB", "InfiniBand";
        /// RoCE v1: an Ethernet type of its own, not routable.
        RoceV1 = 1, "IBV_GID_TYPE_ROCE_V1", "RoCE v1";
        /// RoCE v2: UDP port 4791.
        RoceV2 = 2, "IBV_GID_TYPE_ROCE_V2", "RoCE v2";
        /// None: an iWARP device has one GID, made from a MAC address, and its packets carry none.
        /// C says `IBV_GID_TYPE_IB` there; the number is this crate's own.
        Iwarp = 0xffff_ffff, "IBV_TRANSPORT_IWARP", "none (iWARP)";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_gid_is_its_ipv4_address() {
        let gid = Gid::new(Ipv4Addr::new(10, 9, 0, 1).to_ipv6_mapped().octets());
        assert_eq!(gid.ipv4(), Some(Ipv4Addr::new(10, 9, 0, 1)));
        assert_eq!(gid.to_string(), "::ffff:10.9.0.1");
        assert_eq!(Gid::new([0; 16]).ipv4(), None);
    }

    #[test]
    fn a_gid_of_an_iwarp_device_is_not_called_infiniband() {
        let raw = RawGid {
            gid: [1; 16],
            index: 0,
            port: 1,
            kind: 0,
            ifindex: 0,
        };
        assert_eq!(GidEntry::new(raw, Transport::Iwarp).kind, GidType::Iwarp);
        let infiniband = GidEntry::new(raw, Transport::InfiniBand);
        assert_eq!(infiniband.kind, GidType::InfiniBand);
    }

    #[test]
    fn an_index_that_no_address_vector_can_hold_is_refused() {
        assert_eq!(GidIndex::try_from(255).unwrap().number(), 255);
        assert!(GidIndex::try_from(256).is_err());
        assert!("-1".parse::<GidIndex>().is_err());
    }
}
