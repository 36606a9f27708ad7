//! Why a step to another state was refused. The kernel says EINVAL for everything.

use super::RtrAttr;
use crate::context::Context;
use crate::gid::GidEntry;
use crate::port::{LinkLayer, PortInfo, PortNum, PortState};
use crate::sys::Errno;

/// What does not fit about a step to RTR, as far as it can be found out.
pub(super) fn rtr(context: &Context, port: PortNum, attr: &RtrAttr, errno: Errno) -> String {
    let info = context.query_port(port).ok();
    let gids = context.gid_table(port).ok();
    explain(attr, port, info.as_ref(), gids.as_deref(), errno)
}

fn explain(
    attr: &RtrAttr,
    number: PortNum,
    port: Option<&PortInfo>,
    gids: Option<&[GidEntry]>,
    errno: Errno,
) -> String {
    let mut causes = Vec::new();
    let mut route = None;
    if let Some(port) = port {
        if port.state != PortState::Active {
            causes.push(format!("port {number} is {}", port.state));
        }
        let (wanted, active) = (attr.mtu(), port.active_mtu);
        if wanted.raw() > active.raw() {
            causes.push(format!(
                "path MTU {wanted} > active MTU {active}; use {active}"
            ));
        }
        if port.link_layer == LinkLayer::Ethernet && attr.gid_index().is_none() {
            causes.push(String::from("Ethernet needs a GID index"));
        }
    }
    if let (Some(index), Some(gids)) = (attr.gid_index(), gids) {
        let entry = gids
            .iter()
            .find(|entry| entry.index == u32::from(index.number()));
        match (entry, attr.remote().gid) {
            (None, _) => {
                let filled: Vec<String> =
                    gids.iter().map(|entry| entry.index.to_string()).collect();
                causes.push(format!(
                    "GID index {index} is empty; filled are {}",
                    filled.join(", ")
                ));
            }
            (Some(_), None) => causes.push(String::from("the peer gave no GID")),
            (Some(entry), Some(peer)) => {
                if entry.gid.ipv4().is_some() != peer.ipv4().is_some() {
                    let own = entry.gid;
                    causes.push(format!(
                        "GID index {index} is {own}, the peer's GID is {peer}: of different kinds"
                    ));
                } else {
                    route = Some(format!("no route from {} to {peer}?", entry.gid));
                }
            }
        }
    }
    // A guess, for want of anything that is known to be wrong.
    let unreachable = [libc::EINVAL, libc::ENETUNREACH, libc::ETIMEDOUT];
    if causes.is_empty() && unreachable.contains(&errno.number()) {
        causes.extend(route);
    }
    if causes.is_empty() {
        String::new()
    } else {
        format!(" ({})", causes.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gid::{Gid, GidIndex, GidType};
    use crate::port::Mtu;
    use crate::qp::{Endpoint, Psn, Qpn};
    use crate::sys::PortAttr;
    use rstest::rstest;

    fn port(state: PortState) -> PortInfo {
        PortInfo::new(PortAttr {
            state: state.raw(),
            max_mtu: Mtu::B4096.raw(),
            active_mtu: Mtu::B1024.raw(),
            gid_tbl_len: 16,
            max_msg_sz: 8 << 20,
            link_layer: 2,
            ..PortAttr::default()
        })
    }

    fn gid(text: &str) -> Gid {
        Gid::new(text.parse::<std::net::Ipv6Addr>().unwrap().octets())
    }

    fn table() -> Vec<GidEntry> {
        let entry = |index, address| GidEntry {
            gid: gid(address),
            index,
            port: 1,
            kind: GidType::RoceV2,
            netdev_index: None,
        };
        vec![entry(0, "fe80::1"), entry(1, "::ffff:10.9.0.1")]
    }

    fn attr(mtu: Mtu, index: Option<u8>, peer: Option<&str>) -> RtrAttr {
        let mut remote = Endpoint::new(Qpn::new(17).unwrap(), Psn::new(1).unwrap());
        remote.gid = peer.map(gid);
        let attr = RtrAttr::new(remote, mtu);
        match index {
            Some(index) => attr.via_gid(GidIndex::new(index)),
            None => attr,
        }
    }

    #[rstest]
    #[case::mtu(
        Mtu::B4096,
        Some(1),
        Some("::ffff:10.9.0.2"),
        "path MTU 4096 > active MTU 1024; use 1024"
    )]
    #[case::empty_line(
        Mtu::B1024,
        Some(9),
        Some("::ffff:10.9.0.2"),
        "GID index 9 is empty; filled are 0, 1"
    )]
    #[case::kinds(Mtu::B1024, Some(0), Some("::ffff:10.9.0.2"), "of different kinds")]
    #[case::no_peer(Mtu::B1024, Some(1), None, "the peer gave no GID")]
    #[case::no_index(Mtu::B1024, None, None, "Ethernet needs a GID index")]
    #[case::no_route(
        Mtu::B1024,
        Some(1),
        Some("::ffff:10.8.0.2"),
        "no route from ::ffff:10.9.0.1 to ::ffff:10.8.0.2?"
    )]
    fn names(
        #[case] mtu: Mtu,
        #[case] index: Option<u8>,
        #[case] peer: Option<&str>,
        #[case] expected: &str,
    ) {
        let text = explain(
            &attr(mtu, index, peer),
            PortNum::FIRST,
            Some(&port(PortState::Active)),
            Some(&table()),
            Errno::new(libc::EINVAL),
        );
        assert!(text.contains(expected), "{text}");
        assert_eq!(text.contains("route"), expected.contains("route"), "{text}");
    }

    #[test]
    fn names_a_port_that_is_down() {
        let attr = attr(Mtu::B1024, Some(1), Some("::ffff:10.9.0.2"));
        let (port, gids) = (port(PortState::Down), table());
        let number = PortNum::FIRST;
        let text = explain(
            &attr,
            number,
            Some(&port),
            Some(&gids),
            Errno::new(libc::EINVAL),
        );
        assert!(text.contains("port 1 is down"), "{text}");
    }

    #[test]
    fn says_nothing_when_nothing_is_known() {
        let attr = attr(Mtu::B1024, None, None);
        let errno = Errno::new(libc::EINVAL);
        assert_eq!(explain(&attr, PortNum::FIRST, None, None, errno), "");
    }

    #[rstest]
    #[case(libc::EINVAL, true)]
    #[case(libc::ENETUNREACH, true)]
    #[case(libc::ETIMEDOUT, true)]
    #[case(libc::ENOMEM, false)]
    #[case(libc::EPERM, false)]
    fn guesses_at_the_route_only_where_the_error_allows_it(
        #[case] errno: i32,
        #[case] guessed: bool,
    ) {
        let text = explain(
            &attr(Mtu::B1024, Some(1), Some("::ffff:10.9.0.2")),
            PortNum::FIRST,
            Some(&port(PortState::Active)),
            Some(&table()),
            Errno::new(errno),
        );
        assert_eq!(text.contains("no route"), guessed, "{text}");
    }
}
