//! Groups of queue pairs.

use std::fmt;
use std::net::IpAddr;

use crate::error::{Error, Result};
use crate::gid::Gid;
use crate::port::Lid;
use crate::sys::GroupNumbers;

/// A multicast group: a datagram sent to it reaches every queue pair that is
/// [attached](crate::Qp::attach) to it.
///
/// On RoCE v2 a group is an IP address, and switches pass on what hosts have asked for by IGMP or MLD:
/// some drivers ask, and for others the program joins the group by a UDP socket
/// (`UdpSocket::join_multicast_v4`), Soft-RoCE's among them. On InfiniBand the subnet manager makes groups and
/// gives each its LID.
#[doc(alias = "mgid")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    gid: Gid,
    lid: Lid,
}

impl Group {
    /// The group with this GID, which begins with `ff`, or is the IPv4 address of a group in its mapped
    /// form.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`]: the GID is that of a port.
    pub fn new(gid: Gid) -> Result<Self> {
        let is_group = match gid.ipv4() {
            Some(address) => address.is_multicast(),
            None => gid.ipv6().is_multicast(),
        };
        if !is_group {
            return Err(Error::Malformed {
                what: "address of a multicast group",
                text: gid.to_string(),
            });
        }
        Ok(Group { gid, lid: Lid(0) })
    }

    /// The group that RoCE v2 has for this address: 224.0.0.0 to 239.255.255.255, or one that begins
    /// with `ff`.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`]: it is not a group's.
    pub fn of(address: IpAddr) -> Result<Self> {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Group::new(Gid::new(address.octets()))
    }

    /// With this LID. Default: 0, as on Ethernet.
    #[doc(alias = "mlid")]
    #[must_use]
    pub const fn at_lid(mut self, lid: Lid) -> Self {
        self.lid = lid;
        self
    }

    /// Its GID.
    #[must_use]
    pub const fn gid(&self) -> Gid {
        self.gid
    }

    /// Its LID.
    #[must_use]
    pub const fn lid(&self) -> Lid {
        self.lid
    }

    pub(crate) fn numbers(&self) -> GroupNumbers {
        GroupNumbers {
            gid: self.gid.bytes(),
            lid: self.lid.0,
        }
    }
}

impl fmt::Display for Group {
    /// As an IPv6 address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.gid.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("224.0.0.0", Ok("::ffff:224.0.0.0"))]
    #[case("239.255.255.255", Ok("::ffff:239.255.255.255"))]
    #[case("ff0e::1", Ok("ff0e::1"))]
    #[case("::ffff:224.1.2.3", Ok("::ffff:224.1.2.3"))]
    #[case(
        "240.0.0.1",
        Err("\"::ffff:240.0.0.1\" is no address of a multicast group")
    )]
    #[case(
        "223.255.255.255",
        Err("\"::ffff:223.255.255.255\" is no address of a multicast group")
    )]
    #[case("fe80::1", Err("\"fe80::1\" is no address of a multicast group"))]
    #[case("::", Err("\"::\" is no address of a multicast group"))]
    fn addresses_of_groups_are_told_from_others(
        #[case] address: IpAddr,
        #[case] wanted: Result<&str, &str>,
    ) {
        let group = Group::of(address);
        let told = group.map(|group| group.to_string());
        let told = told.map_err(|error| error.to_string());
        assert_eq!(told.as_deref().map_err(String::as_str), wanted);
    }
}
