//! Which GID to use.

use std::fmt;

use super::{GidEntry, GidIndex, GidType};

/// A GID chosen from a port's table, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GidChoice {
    /// The line chosen.
    pub entry: GidEntry,
    /// Its number, as [`RtrAttr::via_gid`](crate::RtrAttr::via_gid) wants it.
    pub index: GidIndex,
    /// What spoke for it.
    pub reason: GidReason,
}

impl fmt::Display for GidChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.entry, self.reason)
    }
}

/// What spoke for a GID. Earlier ones win over later ones; among equals, the lowest index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GidReason {
    /// RoCE v2 with an IPv4 address: routable, and what peers expect.
    RoceV2Ipv4,
    /// RoCE v2 with an IPv6 address that is not link-local: routable.
    RoceV2Ipv6,
    /// InfiniBand.
    InfiniBand,
    /// iWARP: the one there is.
    Iwarp,
    /// RoCE v2 with a link-local address: reaches the same link only.
    RoceV2LinkLocal,
    /// RoCE v1: reaches the same link only, and peers that use RoCE v2 not at all.
    RoceV1,
    /// A kind that this version of the crate does not know.
    UnknownType,
}

impl GidReason {
    fn of(entry: &GidEntry) -> Self {
        match entry.kind {
            GidType::RoceV2 if entry.gid.ipv4().is_some() => GidReason::RoceV2Ipv4,
            GidType::RoceV2 if entry.gid.ipv6().is_unicast_link_local() => {
                GidReason::RoceV2LinkLocal
            }
            GidType::RoceV2 => GidReason::RoceV2Ipv6,
            GidType::InfiniBand => GidReason::InfiniBand,
            GidType::Iwarp => GidReason::Iwarp,
            GidType::RoceV1 => GidReason::RoceV1,
            GidType::Unknown(_) => GidReason::UnknownType,
        }
    }
}

impl fmt::Display for GidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GidReason::RoceV2Ipv4 => "RoCE v2 with an IPv4 address",
            GidReason::RoceV2Ipv6 => {
                "RoCE v2 with a routable IPv6 address; there is none with IPv4"
            }
            GidReason::InfiniBand => "InfiniBand",
            GidReason::Iwarp => "iWARP, which has no other",
            GidReason::RoceV2LinkLocal => {
                "RoCE v2 with a link-local address, for want of a routable one; same link only"
            }
            GidReason::RoceV1 => "RoCE v1, for want of RoCE v2; same link only",
            GidReason::UnknownType => "the only one there is, of an unknown type",
        })
    }
}

/// The best GID of a port, if the port has any that is not all zeros and that a path can name.
pub(crate) fn select(entries: Vec<GidEntry>) -> Option<GidChoice> {
    entries
        .into_iter()
        .filter(|entry| !entry.gid.is_zero())
        .filter_map(|entry| {
            Some(GidChoice {
                index: GidIndex::try_from(entry.index).ok()?,
                reason: GidReason::of(&entry),
                entry,
            })
        })
        .min_by_key(|choice| (choice.reason, choice.entry.index))
}

#[cfg(test)]
mod tests {
    use super::super::Gid;
    use super::*;
    use rstest::rstest;

    fn entry(index: u32, kind: GidType, address: &str) -> GidEntry {
        let address: std::net::Ipv6Addr = address.parse().unwrap();
        GidEntry {
            gid: Gid::new(address.octets()),
            index,
            port: 1,
            kind,
            netdev_index: None,
        }
    }

    use GidType::{InfiniBand, RoceV1, RoceV2};

    #[rstest]
    #[case::soft_roce(
        vec![entry(0, RoceV2, "fe80::1"), entry(1, RoceV2, "::ffff:10.9.0.1")],
        1, GidReason::RoceV2Ipv4
    )]
    #[case::mlx5_lists_v1_first(
        vec![
            entry(0, RoceV1, "fe80::1"), entry(1, RoceV2, "fe80::1"),
            entry(2, RoceV1, "::ffff:10.0.0.1"), entry(3, RoceV2, "::ffff:10.0.0.1"),
        ],
        3, GidReason::RoceV2Ipv4
    )]
    #[case::ipv6_only(
        vec![entry(0, RoceV2, "fe80::1"), entry(4, RoceV2, "2001:db8::1")],
        4, GidReason::RoceV2Ipv6
    )]
    #[case::lowest_index_among_equals(
        vec![entry(7, RoceV2, "::ffff:10.0.0.2"), entry(5, RoceV2, "::ffff:10.0.0.1")],
        5, GidReason::RoceV2Ipv4
    )]
    #[case::infiniband(vec![entry(0, InfiniBand, "fe80::1")], 0, GidReason::InfiniBand)]
    #[case::nothing_but_v1(vec![entry(0, RoceV1, "fe80::1")], 0, GidReason::RoceV1)]
    #[case::the_best_one_is_out_of_reach(
        vec![entry(256, RoceV2, "::ffff:10.0.0.1"), entry(255, RoceV1, "fe80::1")],
        255, GidReason::RoceV1
    )]
    #[case::a_kind_of_the_future(
        vec![entry(0, GidType::Unknown(9), "fe80::1")],
        0, GidReason::UnknownType
    )]
    fn picks(#[case] entries: Vec<GidEntry>, #[case] index: u32, #[case] reason: GidReason) {
        let choice = select(entries).unwrap();
        assert_eq!((choice.entry.index, choice.reason), (index, reason));
        assert_eq!(u32::from(choice.index.number()), index);
    }

    #[test]
    fn zeros_are_no_address() {
        assert_eq!(select(vec![entry(0, RoceV2, "::")]), None);
        assert_eq!(select(Vec::new()), None);
    }

    #[test]
    fn a_line_that_no_path_can_name_is_not_chosen() {
        assert_eq!(select(vec![entry(256, RoceV2, "::ffff:10.0.0.1")]), None);
    }
}
