use std::fmt;

use super::circumstances::Circumstances;
use super::family::Family;
use super::pieces::Cut;

/// Why a message was not sent, as far as the errno, the message and the socket's options tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is longer than a datagram can be: 65 507 bytes over IPv4, 65 527 over IPv6.
    TooLong,
    /// It does not fit the path's MTU, and the socket's option on
    /// [path MTU discovery](crate::tuning::Tuning::path_mtu) forbids fragments.
    OverMtu,
    /// A segment and its headers do not fit the path's MTU. Newer kernels say so (`EMSGSIZE`); older ones say `EINVAL`,
    /// which then is taken for this if neither message nor socket shows another cause.
    Segment,
    /// It makes more datagrams of the socket's own [`udp_segment`](crate::tuning::Tuning::udp_segment) than the kernel
    /// cuts at a time, 64 or 128. With [`Outgoing::segment`](super::Outgoing::segment) there is no such limit.
    Segments,
    /// It is to be cut into datagrams, and the socket sends without checksums.
    #[doc(alias = "SO_NO_CHECK")]
    #[doc(alias = "UDP_NO_CHECK6_TX")]
    NoChecksums,
    /// The socket's own [`udp_segment`](crate::tuning::Tuning::udp_segment) asks for an offload this path does not have:
    /// its device computes no checksums (up to Linux 6.10), or IPsec is in the way. Give
    /// [`Outgoing::segment`](super::Outgoing::segment) instead: the batch then cuts by itself.
    NoOffload,
    /// An *earlier* datagram to the connected peer was refused: nobody listens there (ICMP). This message was not
    /// looked at; sent again it goes. The kernel does not tell every time: `sendmmsg` drops the answer if it hits a
    /// message that is not its first.
    PeerRefused,
    /// The socket is not connected, and the message does not say where to.
    NoDestination,
    /// The destination's address is of a family the socket does not have (an IPv6 address on an IPv4 socket), or the
    /// source is of another family than the destination. The latter the batch finds itself.
    Family,
    /// The message says when to leave, and the socket has no [`txtime`](crate::tuning::Tuning::txtime). Where the
    /// socket's clock is that of the time of day it may be something else: the kernel does not tell that from none.
    NoTxTime,
    /// The socket is bound to no port yet, and none is free: see `net.ipv4.ip_local_port_range` and
    /// [`Tuning::local_port_range`](crate::tuning::Tuning::local_port_range).
    NoPort,
    /// The socket is a stream: it takes bytes, of which it may leave some, and keeps no boundaries.
    Stream,
    /// Something else: the errno says.
    Other,
}

/// What is known of a message besides the errno.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    pub(super) len: usize,
    pub(super) cut: Cut,
    pub(super) has_departure: bool,
    pub(super) has_source: bool,
    /// The family of its destination, if it says one.
    pub(super) family: Option<Family>,
    /// It is to go to port 0, which is none.
    pub(super) to_port_zero: bool,
}

/// As many segments as every kernel that has them takes at a time.
const SEGMENTS: usize = super::MAX_SEGMENTS;

impl Fault {
    pub(super) fn of(errno: Option<i32>, facts: Facts, socket: Circumstances) -> Self {
        let own_segments = facts.cut == Cut::AsTheSocket && socket.segment > 0;
        let segmented = own_segments || matches!(facts.cut, Cut::At(_));
        let family = facts.family.or(socket.peer);
        match errno {
            Some(libc::EMSGSIZE) if facts.len > longest(family) => Self::TooLong,
            Some(libc::EMSGSIZE) if segmented => Self::Segment,
            Some(libc::EMSGSIZE) => Self::OverMtu,
            Some(libc::EINVAL) if facts.to_port_zero => Self::Other,
            Some(libc::EINVAL) if facts.has_departure && socket.clock == 0 => Self::NoTxTime,
            Some(libc::EINVAL) if facts.has_source || !segmented => Self::Other,
            Some(libc::EINVAL) if socket.lacks_checksums(family) => Self::NoChecksums,
            Some(libc::EINVAL) if own_segments && socket.datagrams(facts.len) > SEGMENTS => {
                Self::Segments
            }
            Some(libc::EINVAL) => Self::Segment,
            Some(libc::EIO) if own_segments => Self::NoOffload,
            Some(libc::ECONNREFUSED) => Self::PeerRefused,
            Some(libc::EDESTADDRREQ | libc::ENOTCONN) => Self::NoDestination,
            Some(libc::EAFNOSUPPORT) => Self::Family,
            _ => Self::Other,
        }
    }
}

/// Bytes of the longest datagram.
fn longest(family: Option<Family>) -> usize {
    match family {
        Some(Family::V4) => 65_507,
        _ => 65_527,
    }
}

impl Circumstances {
    fn lacks_checksums(self, family: Option<Family>) -> bool {
        match family {
            Some(Family::V4) => self.no_checksums,
            Some(Family::V6) => self.no_checksums_v6,
            None => false,
        }
    }

    /// How many datagrams the socket's own segment size makes of that many bytes.
    fn datagrams(self, len: usize) -> usize {
        let size = usize::try_from(self.segment).unwrap_or(usize::MAX);
        len.div_ceil(size.max(1))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "longer than a datagram; say a segment size",
            Self::OverMtu => "longer than the path's MTU, and fragments are forbidden (IP_MTU_DISCOVER)",
            Self::Segment => {
                "as it seems, segment and headers do not fit the path's MTU; use smaller segments"
            }
            Self::Segments => {
                "more datagrams of the socket's UDP_SEGMENT than the kernel cuts; say the segment size per message"
            }
            Self::NoChecksums => {
                "the kernel cuts no messages of a socket without checksums (SO_NO_CHECK, UDP_NO_CHECK6_TX)"
            }
            Self::NoOffload => {
                "UDP_SEGMENT of the socket asks for an offload the path lacks; say the segment size per message"
            }
            Self::PeerRefused => "an earlier datagram was refused by the peer; this one can be sent again",
            Self::NoDestination => "the socket is not connected; say where to",
            Self::Family => {
                "the address is of a family the socket does not have, or source and destination are of two"
            }
            Self::NoTxTime => "is SO_TXTIME on?",
            Self::NoPort => "no port is free; bind the socket, or widen net.ipv4.ip_local_port_range",
            Self::Stream => "the socket is a stream; write to it",
            Self::Other => "refused by the kernel",
        })
    }
}

#[cfg(test)]
mod tests;
