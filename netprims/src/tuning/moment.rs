use std::io;

use socket2::SockRef;

use crate::info::{TcpInfo, TcpState};

/// How far a socket is on its way; some options take effect only up to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Moment {
    /// Opened and nothing else.
    Open,
    /// It has a local address and no port, which connecting will choose
    /// ([`bind_address_no_port`](super::Tuning::bind_address_no_port)).
    BoundWithoutPort,
    /// It has a local address and a port.
    Bound,
    /// It listens.
    Listening,
    /// It has a peer, or is connecting to one.
    Connected,
}

impl Moment {
    pub(super) fn of(socket: &SockRef<'_>) -> io::Result<Self> {
        // The first question is one that every socket answers: anything else is no socket.
        if socket.is_listener()? {
            return Ok(Self::Listening);
        }
        // A socket that is connecting has no peer's address yet, but has sent its first segment.
        if socket.peer_addr().is_ok() || is_connecting(socket) {
            return Ok(Self::Connected);
        }
        let local = socket.local_addr().ok().and_then(|local| local.as_socket());
        Ok(match local {
            Some(local) if local.port() != 0 => Self::Bound,
            Some(local) if !local.ip().is_unspecified() => Self::BoundWithoutPort,
            _ => Self::Open,
        })
    }
}

fn is_connecting(socket: &SockRef<'_>) -> bool {
    TcpInfo::of(&**socket)
        .is_ok_and(|info| matches!(info.state(), TcpState::SynSent | TcpState::SynReceived))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    #[test]
    fn is_what_the_socket_did_last() {
        let open =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        assert_eq!(Moment::of(&SockRef::from(&open)).unwrap(), Moment::Open);

        for any in ["127.0.0.1:0", "[::1]:0"] {
            let any: std::net::SocketAddr = any.parse().unwrap();
            let domain = socket2::Domain::for_address(any);
            let bound = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
            let no_port = &crate::sys::sockopt::BIND_ADDRESS_NO_PORT;
            no_port.set_flag(&bound, true).unwrap();
            bound.bind(&any.into()).unwrap();
            let moment = Moment::of(&SockRef::from(&bound)).unwrap();
            assert_eq!(moment, Moment::BoundWithoutPort);
        }

        for any in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let bound = UdpSocket::bind(any).unwrap();
            assert_eq!(Moment::of(&SockRef::from(&bound)).unwrap(), Moment::Bound);
        }

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(
            Moment::of(&SockRef::from(&listener)).unwrap(),
            Moment::Listening
        );

        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(
            Moment::of(&SockRef::from(&stream)).unwrap(),
            Moment::Connected
        );
    }

    #[test]
    fn connecting_is_past_bound() {
        let open = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let listener = open().unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        // The queue of a listener with a backlog of zero has one place; the next is left to try again.
        let first = open().unwrap();
        first.connect(&address).unwrap();
        let next: Vec<_> = (0..3)
            .map(|_| {
                let socket = open().unwrap();
                socket.set_nonblocking(true).unwrap();
                let _ = socket.connect(&address);
                socket
            })
            .collect();
        let connecting = next.iter().filter(|socket| socket.peer_addr().is_err());
        let moments: Vec<_> = connecting
            .map(|socket| Moment::of(&SockRef::from(socket)).unwrap())
            .collect();
        assert!(!moments.is_empty(), "all are connected: no test");
        assert!(moments.iter().all(|moment| *moment == Moment::Connected));
    }

    #[test]
    fn of_a_file_is_an_error() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = Moment::of(&SockRef::from(&file)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    }
}
