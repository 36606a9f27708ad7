use socket2::{Domain, Protocol, Socket, Type};

use super::kinds::Transport;
use crate::{Error, Result};

/// A kind of socket, to [`check`](super::Tuning::check) a tuning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketKind {
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// Multipath TCP over IPv4.
    MptcpV4,
    /// Multipath TCP over IPv6.
    MptcpV6,
    /// UDP over IPv4.
    UdpV4,
    /// UDP over IPv6.
    UdpV6,
    /// A Unix stream.
    UnixStream,
    /// Unix datagrams.
    UnixDatagram,
}

impl SocketKind {
    pub(super) fn transport(self) -> Transport {
        match self {
            Self::TcpV4 | Self::TcpV6 | Self::MptcpV4 | Self::MptcpV6 => Transport::Tcp,
            Self::UdpV4 | Self::UdpV6 => Transport::Udp,
            Self::UnixStream | Self::UnixDatagram => Transport::Unix,
        }
    }

    /// Opens one, close-on-exec.
    pub(crate) fn open(self) -> Result<Socket> {
        let (domain, kind, protocol) = match self {
            Self::TcpV4 => (Domain::IPV4, Type::STREAM, Some(Protocol::TCP)),
            Self::TcpV6 => (Domain::IPV6, Type::STREAM, Some(Protocol::TCP)),
            Self::MptcpV4 => (Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)),
            Self::MptcpV6 => (Domain::IPV6, Type::STREAM, Some(Protocol::MPTCP)),
            Self::UdpV4 => (Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)),
            Self::UdpV6 => (Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)),
            Self::UnixStream => (Domain::UNIX, Type::STREAM, None),
            Self::UnixDatagram => (Domain::UNIX, Type::DGRAM, None),
        };
        // socket2 opens with SOCK_CLOEXEC.
        Socket::new(domain, kind, protocol).map_err(|error| {
            let object = format!("{self:?}");
            match (self, error.raw_os_error()) {
                (Self::MptcpV4 | Self::MptcpV6, Some(libc::EPROTONOSUPPORT)) => Error::advised(
                    "socket",
                    object,
                    error,
                    "the kernel was built without CONFIG_MPTCP, or is older than 5.6",
                ),
                (Self::MptcpV4 | Self::MptcpV6, Some(libc::ENOPROTOOPT)) => Error::advised(
                    "socket",
                    object,
                    error,
                    "set net.mptcp.enabled to 1 in this network namespace",
                ),
                _ => Error::system("socket", object, error),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::fd::AsFd;

    #[rstest]
    #[case(SocketKind::TcpV4, Domain::IPV4, Type::STREAM)]
    #[case(SocketKind::UdpV4, Domain::IPV4, Type::DGRAM)]
    #[case(SocketKind::UnixStream, Domain::UNIX, Type::STREAM)]
    #[case(SocketKind::UnixDatagram, Domain::UNIX, Type::DGRAM)]
    fn is_what_its_name_says(
        #[case] kind: SocketKind,
        #[case] domain: Domain,
        #[case] r#type: Type,
    ) {
        let socket = kind.open().unwrap();
        assert_eq!(socket.domain().unwrap(), domain);
        assert_eq!(socket.r#type().unwrap(), r#type);
        let flags = nix::fcntl::fcntl(socket.as_fd(), nix::fcntl::FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, libc::FD_CLOEXEC);
    }
}
