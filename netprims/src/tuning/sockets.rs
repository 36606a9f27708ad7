use socket2::{Domain, Protocol, SockRef};

use super::kinds::Transport;

/// On which sockets an option has an effect. The bound of its setter says the same to the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sockets {
    /// `Kind`.
    All,
    /// `HasIp`.
    Ip,
    /// `HasStream`.
    Stream,
    /// `HasTcp`.
    Tcp,
    /// `HasUdp`.
    Udp,
}

impl Sockets {
    pub(super) fn include(self, transport: Transport) -> bool {
        match self {
            Self::All => true,
            Self::Ip => matches!(transport, Transport::Tcp | Transport::Udp),
            Self::Stream => matches!(transport, Transport::Tcp | Transport::Unix),
            Self::Tcp => transport == Transport::Tcp,
            Self::Udp => transport == Transport::Udp,
        }
    }

    /// For people.
    pub(super) fn names(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Ip => "TCP and UDP",
            Self::Stream => "TCP and Unix",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl Transport {
    /// What a socket is; `None` if it is none of these, or does not say.
    pub(super) fn of(socket: &SockRef<'_>) -> Option<Self> {
        let domain = socket.domain().ok()?;
        if domain == Domain::UNIX {
            return Some(Self::Unix);
        }
        if domain != Domain::IPV4 && domain != Domain::IPV6 {
            return None;
        }
        match socket.protocol().ok()? {
            Some(Protocol::TCP | Protocol::MPTCP) => Some(Self::Tcp),
            Some(Protocol::UDP) => Some(Self::Udp),
            _ => None,
        }
    }

    /// Why an option that has no effect on such sockets is refused.
    pub(super) fn without(self) -> &'static str {
        match self {
            Self::Tcp => "it has no effect on TCP sockets",
            Self::Udp => "it has no effect on UDP sockets",
            Self::Unix => "it has no effect on Unix sockets",
        }
    }

    /// Why a tuning for such sockets is not one for others.
    pub(super) fn only(self) -> &'static str {
        match self {
            Self::Tcp => "the tuning is for TCP sockets",
            Self::Udp => "the tuning is for UDP sockets",
            Self::Unix => "the tuning is for Unix sockets",
        }
    }
}

#[cfg(test)]
mod tests;
