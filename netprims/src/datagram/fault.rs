use std::fmt;

use super::pieces::Cut;

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is longer than a datagram can be: 65 507 bytes over IPv4, 65 527 over IPv6.
    TooLong,
    /// It does not fit the path's MTU, and the socket's option on
    /// [path MTU discovery](crate::tuning::Tuning::path_mtu) forbids fragments.
    OverMtu,
    /// A segment and its headers do not fit the path's MTU, or the socket sends without checksums (`SO_NO_CHECK`).
    Segment,
    /// The socket's own [`udp_segment`](crate::tuning::Tuning::udp_segment) asks for an offload this path does not have:
    /// its device computes no checksums (up to Linux 6.10), or IPsec is in the way. Give
    /// [`Outgoing::segment`](super::Outgoing::segment) instead: the batch then cuts by itself.
    NoOffload,
    /// An *earlier* datagram to the connected peer was refused: nobody listens there (ICMP). This message was not
    /// looked at; sent again it goes.
    PeerRefused,
    /// The socket is not connected, and the message does not say where to.
    NoDestination,
    /// The destination's address is of a family the socket does not have: an IPv6 address on an IPv4 socket.
    Family,
    /// The message says when to leave, and the socket has no [`txtime`](crate::tuning::Tuning::txtime). It may be
    /// something else: the kernel says `EINVAL` to much.
    NoTxTime,
    /// Something else: the errno says.
    Other,
}

/// What is known of a message besides the errno.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    pub(super) len: usize,
    pub(super) cut: Cut,
    pub(super) has_departure: bool,
}

impl Fault {
    pub(super) fn of(errno: Option<i32>, facts: Facts) -> Self {
        let segmented = matches!(facts.cut, Cut::At(_));
        match errno {
            Some(libc::EMSGSIZE) if segmented => Self::Segment,
            Some(libc::EMSGSIZE) if facts.len > 65_507 => Self::TooLong,
            Some(libc::EMSGSIZE) => Self::OverMtu,
            Some(libc::EINVAL) if facts.has_departure => Self::NoTxTime,
            Some(libc::EINVAL) if segmented => Self::Segment,
            Some(libc::EIO) if facts.cut == Cut::AsTheSocket => Self::NoOffload,
            Some(libc::ECONNREFUSED) => Self::PeerRefused,
            Some(libc::EDESTADDRREQ | libc::ENOTCONN) => Self::NoDestination,
            Some(libc::EAFNOSUPPORT) => Self::Family,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "longer than a datagram; say a segment size",
            Self::OverMtu => "longer than the path's MTU, and fragments are forbidden (IP_MTU_DISCOVER)",
            Self::Segment => {
                "segment and headers do not fit the path's MTU, or SO_NO_CHECK is on; use smaller segments"
            }
            Self::NoOffload => {
                "UDP_SEGMENT of the socket asks for an offload the path lacks; say the segment size per message"
            }
            Self::PeerRefused => "an earlier datagram was refused by the peer; this one can be sent again",
            Self::NoDestination => "the socket is not connected; say where to",
            Self::Family => "the address is of a family the socket does not have",
            Self::NoTxTime => "is SO_TXTIME on?",
            Self::Other => "refused by the kernel",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const SEGMENTS: Cut = Cut::At(1000);

    #[rstest]
    #[case::too_long(libc::EMSGSIZE, 65_508, Cut::AsTheSocket, Fault::TooLong)]
    #[case::over_the_mtu(libc::EMSGSIZE, 65_507, Cut::No, Fault::OverMtu)]
    #[case::segment(libc::EMSGSIZE, 5000, SEGMENTS, Fault::Segment)]
    #[case::segment_of_an_older_kernel(libc::EINVAL, 5000, SEGMENTS, Fault::Segment)]
    #[case::the_sockets_segments(libc::EIO, 5000, Cut::AsTheSocket, Fault::NoOffload)]
    #[case::something_else_with_segments(libc::EIO, 5000, SEGMENTS, Fault::Other)]
    #[case::refused(libc::ECONNREFUSED, 1, Cut::No, Fault::PeerRefused)]
    #[case::nowhere(libc::EDESTADDRREQ, 1, Cut::No, Fault::NoDestination)]
    #[case::nowhere_over_ipv6(libc::ENOTCONN, 1, Cut::No, Fault::NoDestination)]
    #[case::family(libc::EAFNOSUPPORT, 1, Cut::No, Fault::Family)]
    #[case::invalid(libc::EINVAL, 1, Cut::No, Fault::Other)]
    #[case::unreachable(libc::ENETUNREACH, 1, Cut::No, Fault::Other)]
    #[case::unknown(4242, 1, Cut::No, Fault::Other)]
    fn the_errno_means_what_the_message_makes_of_it(
        #[case] errno: i32,
        #[case] len: usize,
        #[case] cut: Cut,
        #[case] want: Fault,
    ) {
        let facts = Facts {
            len,
            cut,
            has_departure: false,
        };
        assert_eq!(Fault::of(Some(errno), facts), want);
    }

    #[test]
    fn einval_of_a_message_with_a_time_asks_for_the_option() {
        let facts = Facts {
            has_departure: true,
            ..Facts::default()
        };
        assert_eq!(Fault::of(Some(libc::EINVAL), facts), Fault::NoTxTime);
        assert_eq!(Fault::of(None, facts), Fault::Other);
    }
}
