//! The system calls every builder makes, with errors that say what would help.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockAddr, Socket};

use crate::fd::retry;
use crate::tuning::{Report, Warning};
use crate::{Error, Result};

pub(super) fn bind(socket: &Socket, address: &SockAddr, name: impl Display) -> Result<()> {
    socket.bind(address).map_err(|error| {
        let advice = match (error.raw_os_error(), address.is_unix()) {
            (Some(libc::EADDRINUSE), true) => {
                "a server has the name, or the file of one that is gone: UnixBuilder::replace_stale tells them apart"
            }
            (Some(libc::EADDRNOTAVAIL), false) => {
                "no interface of this network namespace has the address; Tuning::freebind does not ask for one"
            }
            (Some(libc::EACCES), false) => {
                "the port is below net.ipv4.ip_unprivileged_port_start: lower it, or grant CAP_NET_BIND_SERVICE"
            }
            _ => return Error::system("bind", name, error),
        };
        Error::advised("bind", name, error, advice)
    })
}

/// Without a number the queue is as long as the kernel allows.
pub(super) fn listen(socket: &Socket, backlog: Option<u32>, name: impl Display) -> Result<()> {
    let most = backlog.and_then(|connections| i32::try_from(connections).ok());
    socket
        .listen(most.unwrap_or(i32::MAX))
        .map_err(|error| Error::system("listen", name, error))
}

/// The kernel cuts a backlog without a word.
pub(super) fn warn_of_backlog(report: &mut Report, requested: Option<u32>, effective: Option<u32>) {
    if let (Some(requested), Some(effective)) = (requested, effective) {
        if effective < requested {
            report.warn(Warning::BacklogCut {
                requested,
                effective,
                sysctl: "net.core.somaxconn",
            });
        }
    }
}

pub(super) fn connect(
    socket: &Socket,
    peer: &SockAddr,
    name: impl Display,
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
            Some(libc::EADDRNOTAVAIL) if peer.is_ipv4() || peer.is_ipv6() => {
                "no local port is free for this peer; Tuning::local_port_range and net.ipv4.ip_local_port_range say \
                 which there are"
            }
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
