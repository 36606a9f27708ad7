use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::family::Family;
use super::pieces::Cut;
use super::traffic_class::TrafficClass;
use crate::sys::datagrams::CONTROL_OUT;
use crate::sys::datagrams::control::Writer;

/// A message to send: its bytes, borrowed, and how they are to go. What is not said is as the socket has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    payload: &'a [u8],
    to: Option<SocketAddr>,
    from: Option<IpAddr>,
    interface: u32,
    traffic_class: Option<TrafficClass>,
    segment: Option<u16>,
    departure: Option<Duration>,
}

impl<'a> Outgoing<'a> {
    /// One datagram of these bytes to the connected peer. It may be empty.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self {
            payload,
            to: None,
            from: None,
            interface: 0,
            traffic_class: None,
            segment: None,
            departure: None,
        }
    }

    /// To this address. An IPv6 socket takes IPv4 addresses too, plain or mapped, unless it is
    /// [only for IPv6](crate::tuning::Tuning::only_v6).
    #[must_use]
    pub const fn to(mut self, address: SocketAddr) -> Self {
        self.to = Some(address);
        self
    }

    /// From this address of the host, on a socket that is bound to none: for an answer,
    /// [`Incoming::answer_from`](super::Incoming::answer_from).
    ///
    /// It is an address of this host, else the message is refused (`ENETUNREACH` or `EINVAL`), even with privilege;
    /// unless the socket is [transparent](crate::tuning::Tuning::transparent), or over IPv6
    /// [`freebind`](crate::tuning::Tuning::freebind). One of another family than the destination's is refused, too:
    /// [`Fault::Family`](super::Fault::Family).
    #[doc(alias = "IP_PKTINFO")]
    #[doc(alias = "IPV6_PKTINFO")]
    #[must_use]
    pub const fn from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    /// Out of this interface, by its index. Default, and 0: as the routing table says.
    #[doc(alias = "ipi_ifindex")]
    #[must_use]
    pub const fn interface(mut self, index: u32) -> Self {
        self.interface = index;
        self
    }

    /// With this service class and congestion notification, in place of the socket's, both.
    ///
    /// Kernel: Linux 3.13. Source: ip(7), ipv6(7).
    #[doc(alias = "IP_TOS")]
    #[doc(alias = "IPV6_TCLASS")]
    #[must_use]
    pub const fn traffic_class(mut self, class: TrafficClass) -> Self {
        self.traffic_class = Some(class);
        self
    }

    /// Cut into datagrams of that many bytes, of which the last may be shorter. The message may then be of any length.
    ///
    /// 0: one datagram, even if the socket has [`udp_segment`](crate::tuning::Tuning::udp_segment). Default: as the
    /// socket has it; such a message may have 65 507 bytes over IPv4, 65 527 over IPv6.
    ///
    /// A datagram and its headers must fit the path's MTU, else the message is refused.
    ///
    /// Kernel: Linux 4.18. Source: udp(7).
    #[doc(alias = "UDP_SEGMENT")]
    #[doc(alias = "GSO")]
    #[must_use]
    pub const fn segment(mut self, bytes: u16) -> Self {
        self.segment = Some(bytes);
        self
    }

    /// To leave at this time of the clock the socket has been given by
    /// [`Tuning::txtime`](crate::tuning::Tuning::txtime), without which the message is refused. Counted in nanoseconds
    /// and signed by the kernel: what is beyond 2^63 - 1, 292 years, is that.
    ///
    /// Kernel: Linux 4.19. Source: tc-etf(8), tc-fq(8).
    #[doc(alias = "SCM_TXTIME")]
    #[must_use]
    pub const fn departure(mut self, time: Duration) -> Self {
        self.departure = Some(time);
        self
    }

    /// The bytes.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Where it goes, if not to the connected peer.
    pub const fn destination(&self) -> Option<SocketAddr> {
        self.to
    }

    pub(super) const fn segment_size(&self) -> Option<u16> {
        self.segment
    }

    pub(super) const fn has_departure(&self) -> bool {
        self.departure.is_some()
    }

    /// The family of where it goes, if not to the connected peer.
    pub(super) fn family(&self) -> Option<Family> {
        self.to.map(|to| Family::of(to.ip()))
    }

    /// The family of where it comes from, if it says.
    pub(super) fn source_family(&self) -> Option<Family> {
        self.from.map(Family::of)
    }

    /// Whether it says where it leaves: from which address, or out of which interface.
    pub(super) const fn has_source(&self) -> bool {
        self.from.is_some() || self.interface != 0
    }

    /// What else the kernel is told, as control messages, of which each family has its own. The `family` is that of
    /// where the message goes. Where it is not known both classes are written: the kernel skips the other family's. It
    /// does not skip IPv6's interface on the way to an IPv4 peer, so a message that
    /// [says where it leaves](Self::has_source) wants a known one, unless there is no peer and it will be refused.
    pub(super) fn control(&self, cut: Cut, family: Option<Family>) -> Writer<CONTROL_OUT> {
        let mut control = Writer::new();
        let (v4, v6) = (family != Some(Family::V6), family != Some(Family::V4));
        if let Some(size) = cut.control() {
            control.put(libc::IPPROTO_UDP, libc::UDP_SEGMENT, &size.to_ne_bytes());
        }
        // `struct in_pktinfo`: interface, the address to send from, one that only a received message has.
        let info_v4 = |address: [u8; 4]| {
            let mut info = [0; 12];
            info[..4].copy_from_slice(&self.interface.to_ne_bytes());
            info[4..8].copy_from_slice(&address);
            info
        };
        // `struct in6_pktinfo`: address, interface.
        let info_v6 = |address: [u8; 16]| {
            let mut info = [0; 20];
            info[..16].copy_from_slice(&address);
            info[16..].copy_from_slice(&self.interface.to_ne_bytes());
            info
        };
        let (from_v4, from_v6) = match self.from.map(|from| from.to_canonical()) {
            Some(IpAddr::V4(from)) => (Some(info_v4(from.octets())), None),
            Some(IpAddr::V6(from)) => (None, Some(info_v6(from.octets()))),
            None if self.interface == 0 => (None, None),
            None => (v4.then(|| info_v4([0; 4])), v6.then(|| info_v6([0; 16]))),
        };
        if let Some(info) = from_v4 {
            control.put(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        if let Some(info) = from_v6 {
            control.put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        }
        if let Some(class) = self.traffic_class {
            let class = i32::from(class.byte()).to_ne_bytes();
            if v4 {
                control.put(libc::IPPROTO_IP, libc::IP_TOS, &class);
            }
            if v6 {
                control.put(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &class);
            }
        }
        if let Some(time) = self.departure {
            let time = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
            control.put(libc::SOL_SOCKET, libc::SCM_TXTIME, &time.to_ne_bytes());
        }
        control
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::control::messages;
    use rstest::rstest;

    fn kinds(message: Outgoing<'_>, cut: Cut, family: Option<Family>) -> Vec<(i32, i32)> {
        let control = message.control(cut, family);
        messages(control.bytes())
            .map(|message| (message.level, message.kind))
            .collect()
    }

    const SEGMENT: (i32, i32) = (libc::IPPROTO_UDP, libc::UDP_SEGMENT);
    const INFO_V4: (i32, i32) = (libc::IPPROTO_IP, libc::IP_PKTINFO);
    const INFO_V6: (i32, i32) = (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO);
    const TOS: (i32, i32) = (libc::IPPROTO_IP, libc::IP_TOS);
    const CLASS: (i32, i32) = (libc::IPPROTO_IPV6, libc::IPV6_TCLASS);
    const TIME: (i32, i32) = (libc::SOL_SOCKET, libc::SCM_TXTIME);

    #[rstest]
    #[case::v4(Family::V4, &[SEGMENT, INFO_V4, TOS, TIME])]
    #[case::v6(Family::V6, &[SEGMENT, INFO_V6, CLASS, TIME])]
    fn the_control_messages_are_the_destinations(
        #[case] family: Family,
        #[case] want: &[(i32, i32)],
    ) {
        let message = Outgoing::new(b"x")
            .interface(3)
            .traffic_class(TrafficClass::from_byte(1))
            .departure(Duration::from_nanos(5));
        assert_eq!(kinds(message, Cut::At(9), Some(family)), want);
    }

    #[test]
    fn the_classes_are_both_written_where_the_peer_may_be_of_either_family() {
        let message = Outgoing::new(b"x").traffic_class(TrafficClass::from_byte(1));
        assert_eq!(kinds(message, Cut::AsTheSocket, None), [TOS, CLASS]);
    }

    #[rstest]
    #[case("1.2.3.4:5", Family::V4)]
    #[case("[::ffff:1.2.3.4]:5", Family::V4)]
    #[case("[2001:db8::1]:5", Family::V6)]
    fn the_family_is_the_one_it_travels_by(#[case] to: SocketAddr, #[case] want: Family) {
        let message = Outgoing::new(b"x").to(to).from(to.ip());
        assert_eq!(message.family(), Some(want));
        assert_eq!(message.source_family(), Some(want));
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        assert!(kinds(Outgoing::new(b"x"), Cut::AsTheSocket, None).is_empty());
        assert!(kinds(Outgoing::new(b"x").interface(0), Cut::AsTheSocket, None).is_empty());
    }

    #[rstest]
    #[case("10.0.0.1", INFO_V4, &[3, 0, 0, 0, 10, 0, 0, 1, 0, 0, 0, 0])]
    #[case("::ffff:10.0.0.1", INFO_V4, &[3, 0, 0, 0, 10, 0, 0, 1, 0, 0, 0, 0])]
    #[case("::2", INFO_V6, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0, 0])]
    #[cfg(target_endian = "little")]
    fn the_source_is_in_its_familys_struct(
        #[case] from: IpAddr,
        #[case] kind: (i32, i32),
        #[case] bytes: &[u8],
    ) {
        let control = Outgoing::new(b"x")
            .from(from)
            .interface(3)
            .control(Cut::AsTheSocket, Some(Family::of(from)));
        let all: Vec<_> = messages(control.bytes()).collect();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].level, all[0].kind), kind);
        assert_eq!(all[0].payload, bytes);
    }

    #[rstest]
    #[case::last(Duration::from_nanos(i64::MAX.unsigned_abs()))]
    #[case::one_more(Duration::from_nanos(1 << 63))]
    #[case::all_there_is(Duration::MAX)]
    fn a_time_beyond_the_kernels_is_the_last_it_has(#[case] time: Duration) {
        let message = Outgoing::new(b"x").departure(time);
        let control = message.control(Cut::AsTheSocket, None);
        let time = messages(control.bytes()).next().unwrap();
        assert_eq!(time.payload, i64::MAX.to_ne_bytes());
    }
}
