use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

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
    /// Without privilege it must be an address of this host, else the message is refused (`ENETUNREACH` or `EINVAL`).
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
    /// [`Tuning::txtime`](crate::tuning::Tuning::txtime), without which the message is refused. Counted in nanoseconds;
    /// what no 64 bits hold is the last moment they do.
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

    /// What else the kernel is told, as control messages. Each family has its own; a family that is not the
    /// destination's is not looked at, so where that is not known both are written.
    pub(super) fn control(&self, cut: Cut) -> Writer<CONTROL_OUT> {
        let mut control = Writer::new();
        let family = self.to.map(|to| to.ip().to_canonical().is_ipv4());
        let (v4, v6) = (family != Some(false), family != Some(true));
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
            let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            control.put(libc::SOL_SOCKET, libc::SCM_TXTIME, &time.to_ne_bytes());
        }
        control
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::datagrams::control::Messages;
    use rstest::rstest;

    fn kinds(message: Outgoing<'_>, cut: Cut) -> Vec<(i32, i32)> {
        let control = message.control(cut);
        let messages = Messages::new(control.bytes());
        messages
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
    #[case::nobody(None, &[SEGMENT, INFO_V4, INFO_V6, TOS, CLASS, TIME])]
    #[case::v4(Some("1.2.3.4:5"), &[SEGMENT, INFO_V4, TOS, TIME])]
    #[case::v6(Some("[2001:db8::1]:5"), &[SEGMENT, INFO_V6, CLASS, TIME])]
    #[case::mapped(Some("[::ffff:1.2.3.4]:5"), &[SEGMENT, INFO_V4, TOS, TIME])]
    fn the_control_messages_are_the_destinations(
        #[case] to: Option<&str>,
        #[case] want: &[(i32, i32)],
    ) {
        let mut message = Outgoing::new(b"x")
            .interface(3)
            .traffic_class(TrafficClass::from_byte(1))
            .departure(Duration::from_nanos(5));
        if let Some(to) = to {
            message = message.to(to.parse().unwrap());
        }
        assert_eq!(kinds(message, Cut::At(9)), want);
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        assert!(kinds(Outgoing::new(b"x"), Cut::AsTheSocket).is_empty());
        assert!(kinds(Outgoing::new(b"x").interface(0), Cut::AsTheSocket).is_empty());
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
            .control(Cut::AsTheSocket);
        let all: Vec<_> = Messages::new(control.bytes()).collect();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].level, all[0].kind), kind);
        assert_eq!(all[0].payload, bytes);
    }

    #[test]
    fn a_time_beyond_64_bits_is_the_last_there_is() {
        let control = Outgoing::new(b"x")
            .departure(Duration::MAX)
            .control(Cut::AsTheSocket);
        let time = Messages::new(control.bytes()).next().unwrap();
        assert_eq!(time.payload, [0xff; 8]);
    }
}
