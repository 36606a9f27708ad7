//! The system calls every builder makes, with errors that say what would help.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockAddr, Socket, Type};

use crate::caller::{Caller, Capability};
use crate::fd::retry;
use crate::sysctl::Sysctl;
use crate::{Error, Result};

pub(super) fn bind(socket: &Socket, address: &SockAddr, name: impl Display) -> Result<()> {
    socket.bind(address).map_err(|error| {
        let is_stream = socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
        let start = Sysctl::new("net.ipv4.ip_unprivileged_port_start").read();
        let start = start.ok().flatten().and_then(|start| start.parse().ok());
        let refused = RefusedBind {
            errno: error.raw_os_error(),
            address: address.as_socket(),
            is_stream,
            start,
            is_privileged: Caller::look().has(Capability::NetBindService) == Some(true),
        };
        match refused.advice() {
            Some(advice) => Error::advised("bind", name, error, advice),
            None => Error::system("bind", name, error),
        }
    })
}

/// A bind that the kernel refused, and what is known of it.
struct RefusedBind {
    errno: Option<i32>,
    /// `None` for a Unix socket.
    address: Option<SocketAddr>,
    is_stream: bool,
    /// `net.ipv4.ip_unprivileged_port_start`, if it can be seen.
    start: Option<u16>,
    /// Whether it is known that any port may be bound to.
    is_privileged: bool,
}

impl RefusedBind {
    fn advice(&self) -> Option<&'static str> {
        match (self.errno?, self.address) {
            (libc::EADDRINUSE, None) => Some(
                "a server has the name, or the file of one that is gone: UnixBuilder::replace_stale tells them apart",
            ),
            (libc::EADDRINUSE, Some(_)) if self.is_stream => Some(
                "another socket has the address, or connections that had not set SO_REUSEADDR, as those of a \
                 predecessor that set SO_REUSEPORT only, have not ended or are in TIME_WAIT",
            ),
            (libc::EADDRNOTAVAIL, Some(SocketAddr::V4(_))) => Some(
                "no interface of this network namespace has the address; Tuning::freebind does not ask for one",
            ),
            (libc::EADDRNOTAVAIL, Some(SocketAddr::V6(_))) => Some(
                "no interface of this network namespace has the address, or one has it and is still asking whether \
                 somebody else does (it is tentative); Tuning::freebind does not ask for either",
            ),
            (libc::EACCES, Some(address)) => {
                let is_low = match address.port() {
                    0 => Some(false),
                    _ if self.is_privileged => Some(false),
                    port => self.start.map(|start| port < start),
                };
                Some(match is_low {
                    Some(true) => {
                        "the port is below net.ipv4.ip_unprivileged_port_start: lower it, or grant CAP_NET_BIND_SERVICE"
                    }
                    Some(false) => {
                        "not for the port's number: a security module such as Landlock or SELinux may forbid it"
                    }
                    None => {
                        "the port may be below net.ipv4.ip_unprivileged_port_start, which cannot be seen, or a \
                         security module such as Landlock or SELinux may forbid it"
                    }
                })
            }
            _ => None,
        }
    }
}

/// Without a number the queue is as long as the kernel allows.
pub(super) fn listen(socket: &Socket, backlog: Option<u32>, name: impl Display) -> Result<()> {
    let most = backlog.and_then(|connections| i32::try_from(connections).ok());
    socket
        .listen(most.unwrap_or(i32::MAX))
        .map_err(|error| Error::system("listen", name, error))
}

pub(super) fn connect(
    socket: &Socket,
    peer: &SockAddr,
    name: impl Display,
    source: Option<SocketAddr>,
    timeout: Option<Duration>,
) -> Result<()> {
    let connected = match timeout {
        Some(timeout) => socket.connect_timeout(peer, timeout),
        // An interrupted connect goes on in the kernel; calling again waits for it.
        None => retry(|| socket.connect(peer)),
    };
    connected.map_err(|error| {
        let late = error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none();
        let advice = match error.raw_os_error() {
            None if late => "no answer within the builder's connect_timeout",
            Some(libc::EADDRNOTAVAIL) if source.is_some_and(|source| source.port() != 0) => {
                "a connection from this source to this peer may be there already, or in TIME_WAIT"
            }
            Some(libc::EADDRNOTAVAIL) if peer.is_ipv4() => NO_PORT_FREE,
            Some(libc::EADDRNOTAVAIL) if peer.is_ipv6() => NO_PORT_FREE_OR_ADDRESS,
            _ => return Error::system("connect", name, error),
        };
        let error = if late {
            io::Error::from_raw_os_error(libc::ETIMEDOUT)
        } else {
            error
        };
        Error::advised("connect", name, error, advice)
    })
}

const NO_PORT_FREE: &str = "it may be that no local port is free for this peer; Tuning::local_port_range and \
                            net.ipv4.ip_local_port_range say which there are";
const NO_PORT_FREE_OR_ADDRESS: &str = "it may be that no local port is free for this peer (Tuning::local_port_range and net.ipv4.ip_local_port_range say \
     which there are), or that there is no local address to reach it from";

/// Refuses a source address of another family than the peer's, before there is a socket.
pub(super) fn same_family(source: Option<SocketAddr>, peer: SocketAddr) -> Result<()> {
    match source {
        Some(source) if source.is_ipv4() != peer.is_ipv4() => Err(Error::InvalidValue {
            option: "source",
            value: source.to_string(),
            reason: "it is of another address family than the peer",
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::below(80, Some(1024), false, "is below net.ipv4.ip_unprivileged_port_start:")]
    #[case::below_with_the_capability(80, Some(1024), true, "not for the port's number")]
    #[case::at(1024, Some(1024), false, "not for the port's number")]
    #[case::left_to_the_kernel(0, Some(1024), false, "not for the port's number")]
    #[case::all_are_free(80, Some(0), false, "not for the port's number")]
    #[case::not_seen(80, None, false, "may be below net.ipv4.ip_unprivileged_port_start")]
    fn a_port_is_blamed_only_if_it_is_below_the_limit(
        #[case] port: u16,
        #[case] start: Option<u16>,
        #[case] is_privileged: bool,
        #[case] text: &str,
        #[values(true, false)] is_stream: bool,
    ) {
        let refused = RefusedBind {
            errno: Some(libc::EACCES),
            address: Some(SocketAddr::from(([127, 0, 0, 1], port))),
            is_stream,
            start,
            is_privileged,
        };
        let advice = refused.advice().unwrap();
        assert!(advice.contains(text), "{advice}");
    }
}
