use std::ffi::c_int;
use std::iter::FusedIterator;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use super::address;
use super::traffic_class::TrafficClass;
use crate::sys::control::{Message, messages};
use crate::sys::datagrams::Arrival;
use crate::timestamp::Timestamps;

/// What arrived in one piece: a datagram, or several of one peer where the socket has
/// [`udp_gro`](crate::tuning::Tuning::udp_gro).
///
/// What the socket was not asked for is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    bytes: &'a [u8],
    peer: Option<SocketAddr>,
    is_truncated: bool,
    lacks_details: bool,
    details: Found,
}

/// What the control messages say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    destination: Option<IpAddr>,
    answer_from: Option<IpAddr>,
    interface: Option<u32>,
    traffic_class: Option<TrafficClass>,
    segment: Option<NonZeroU16>,
    dropped: Option<u32>,
    timestamps: Timestamps,
}

impl<'a> Incoming<'a> {
    pub(crate) fn of(arrival: Arrival<'a>) -> Self {
        Self {
            bytes: arrival.bytes,
            peer: address::decode(arrival.name),
            is_truncated: arrival.data_cut,
            lacks_details: arrival.control_cut,
            details: Found::of(arrival.control),
        }
    }

    /// All bytes, of all datagrams.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The datagrams, in the order they arrived. One at least, which may be empty. Where the piece
    /// [is truncated](Self::is_truncated) the last is cut.
    pub fn datagrams(&self) -> Datagrams<'a> {
        let size = self.details.segment;
        Datagrams {
            rest: Some(self.bytes),
            size: size.map_or(usize::MAX, |size| usize::from(size.get())),
        }
    }

    /// Who sent it. On an IPv6 socket an IPv4 peer has a mapped address, which [`Outgoing::to`](super::Outgoing::to)
    /// takes as it is. `None` if the socket is no internet socket.
    #[doc(alias = "msg_name")]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Where it was sent to: an address of this host, or a broadcast address or multicast group. Asked for by
    /// [`Details::DESTINATION`](super::Details::DESTINATION).
    #[doc(alias = "IP_PKTINFO")]
    #[doc(alias = "IPV6_PKTINFO")]
    #[doc(alias = "ipi_addr")]
    pub fn destination(&self) -> Option<IpAddr> {
        self.details.destination
    }

    /// The address of this host to answer from: see [`Outgoing::from`](super::Outgoing::from). Of a datagram to a
    /// broadcast address or an IPv4 multicast group, it is the address the kernel would answer from. `None` also for an
    /// IPv6 multicast group, where the kernel does not say. On an IPv6 socket an IPv4 address is mapped. Asked for by
    /// [`Details::DESTINATION`](super::Details::DESTINATION).
    #[doc(alias = "ipi_spec_dst")]
    pub fn answer_from(&self) -> Option<IpAddr> {
        self.details.answer_from
    }

    /// The index of the interface it came in by. Asked for by [`Details::DESTINATION`](super::Details::DESTINATION).
    #[doc(alias = "ipi_ifindex")]
    #[doc(alias = "ipi6_ifindex")]
    pub fn interface(&self) -> Option<u32> {
        self.details.interface
    }

    /// Service class and congestion notification. Of several datagrams it is that of the first: the kernel joins only
    /// datagrams with the same. Asked for by [`Details::TRAFFIC_CLASS`](super::Details::TRAFFIC_CLASS).
    #[doc(alias = "IP_RECVTOS")]
    #[doc(alias = "IPV6_RECVTCLASS")]
    pub fn traffic_class(&self) -> Option<TrafficClass> {
        self.details.traffic_class
    }

    /// The size of each datagram but the last, if there are several.
    #[doc(alias = "UDP_GRO")]
    pub fn segment(&self) -> Option<NonZeroU16> {
        self.details.segment
    }

    /// How many pieces the socket had dropped since it was opened when this one came in: because its buffer was full, a
    /// filter on the socket turned them away, or their checksum was wrong. A piece the kernel had joined of several
    /// datagrams counts as one. `None` also while it has dropped none. It wraps. Asked for by
    /// [`Details::DROPS`](super::Details::DROPS).
    #[doc(alias = "SO_RXQ_OVFL")]
    pub fn dropped(&self) -> Option<u32> {
        self.details.dropped
    }

    /// When it arrived. Asked for by [`Tuning::timestamping`](crate::tuning::Tuning::timestamping).
    pub fn timestamps(&self) -> Timestamps {
        self.details.timestamps
    }

    /// Whether it was longer than there was room for; the rest is lost.
    #[doc(alias = "MSG_TRUNC")]
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// Whether the kernel had more to tell than there was room for, so that a `None` may be wrong. There is room for
    /// all the options this crate knows of; IPv6 extension headers can be longer.
    #[doc(alias = "MSG_CTRUNC")]
    pub fn lacks_details(&self) -> bool {
        self.lacks_details
    }
}

impl Found {
    fn of(control: &[u8]) -> Self {
        let mut found = Self::default();
        let (mut info_v4, mut info_v6) = (None, None);
        for message in messages(control) {
            found.take(message);
            found.timestamps.take(message);
            match (message.level, message.kind) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => info_v4 = InfoV4::of(message),
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => info_v6 = InfoV6::of(message),
                _ => {}
            }
        }
        found.take_info(info_v4, info_v6);
        found
    }

    /// An IPv6 socket has both of an IPv4 peer's datagram. Only IPv4's says which address to answer from.
    fn take_info(&mut self, v4: Option<InfoV4>, v6: Option<InfoV6>) {
        if let Some(info) = v4 {
            self.interface = Some(info.interface);
            self.answer_from = Some(info.answer_from.into());
            self.destination = Some(info.destination.into());
        }
        if let Some(info) = v6 {
            self.interface = Some(info.interface);
            self.destination = Some(info.destination.into());
            // In the clothes the destination wears, too.
            let answer_from = v4.map(|info| info.answer_from.to_ipv6_mapped());
            let answer_from = answer_from.or_else(|| info.answer_from());
            self.answer_from = answer_from.map(IpAddr::from);
        }
    }

    fn take(&mut self, message: Message<'_>) {
        match (message.level, message.kind) {
            (libc::IPPROTO_IP, libc::IP_TOS) => {
                let byte = message.exactly::<1>().map(u8::from_ne_bytes);
                self.traffic_class = byte.map(TrafficClass::from_byte);
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                let byte = number(message).and_then(|class| u8::try_from(class).ok());
                self.traffic_class = byte.map(TrafficClass::from_byte);
            }
            (libc::IPPROTO_UDP, libc::UDP_GRO) => {
                let size = number(message).and_then(|size| u16::try_from(size).ok());
                self.segment = size.and_then(NonZeroU16::new);
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                self.dropped = message.exactly().map(u32::from_ne_bytes);
            }
            _ => {}
        }
    }
}

/// `struct in_pktinfo`.
#[derive(Clone, Copy, Debug)]
struct InfoV4 {
    interface: u32,
    answer_from: Ipv4Addr,
    /// Of the header.
    destination: Ipv4Addr,
}

impl InfoV4 {
    fn of(message: Message<'_>) -> Option<Self> {
        let [i0, i1, i2, i3, a, b, c, d, destination @ ..] = message.exactly::<12>()?;
        Some(Self {
            interface: u32::from_ne_bytes([i0, i1, i2, i3]),
            answer_from: Ipv4Addr::new(a, b, c, d),
            destination: destination.into(),
        })
    }
}

/// `struct in6_pktinfo`.
#[derive(Clone, Copy, Debug)]
struct InfoV6 {
    /// Of the header.
    destination: Ipv6Addr,
    interface: u32,
}

impl InfoV6 {
    fn of(message: Message<'_>) -> Option<Self> {
        let info = message.exactly::<20>()?;
        let (destination, interface) = info.split_first_chunk::<16>()?;
        Some(Self {
            destination: (*destination).into(),
            interface: u32::from_ne_bytes(interface.try_into().ok()?),
        })
    }

    /// As far as the destination is one of this host: nobody answers from a group. Whether a mapped address is a
    /// broadcast it does not tell.
    fn answer_from(self) -> Option<Ipv6Addr> {
        let is_group = IpAddr::from(self.destination).to_canonical().is_multicast();
        (!is_group).then_some(self.destination)
    }
}

fn number(message: Message<'_>) -> Option<c_int> {
    message.exactly().map(c_int::from_ne_bytes)
}

/// The datagrams of a piece. Made by [`Incoming::datagrams`].
#[derive(Clone, Debug)]
pub struct Datagrams<'a> {
    rest: Option<&'a [u8]>,
    size: usize,
}

impl<'a> Iterator for Datagrams<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let all = self.rest.take()?;
        let (datagram, rest) = all.split_at_checked(self.size).unwrap_or((all, &[]));
        self.rest = (!rest.is_empty()).then_some(rest);
        Some(datagram)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self
            .rest
            .map_or(0, |rest| rest.len().div_ceil(self.size).max(1));
        (left, Some(left))
    }
}

impl ExactSizeIterator for Datagrams<'_> {}
impl FusedIterator for Datagrams<'_> {}

#[cfg(test)]
mod tests;
