use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use socket2::{SockAddr, Socket};

use super::{TcpListener, TcpStream};
use crate::info::TcpInfo;
use crate::tuning::{Report, SocketKind, Tcp, Tuning, Warning};
use crate::{Error, Result};

/// Opens TCP sockets, tuned.
///
/// ```
/// use netprims::socket::TcpBuilder;
/// use netprims::tuning::Tuning;
///
/// const TCP: TcpBuilder = TcpBuilder::new().tuning(Tuning::tcp().nodelay(true).strict(true));
///
/// let (listener, _) = TCP.listen("127.0.0.1:0".parse()?)?;
/// let (stream, report) = TCP.connect(listener.local_addr()?)?;
/// println!("{report}");
/// stream.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TcpBuilder {
    tuning: Tuning<Tcp>,
    backlog: Option<u32>,
    mptcp: bool,
}

impl TcpBuilder {
    /// A builder without tuning.
    pub const fn new() -> Self {
        Self {
            tuning: Tuning::tcp(),
            backlog: None,
            mptcp: false,
        }
    }

    /// What to ask of each socket it opens. Default: nothing.
    pub const fn tuning(mut self, tuning: Tuning<Tcp>) -> Self {
        self.tuning = tuning;
        self
    }

    /// How many connections may wait to be accepted. Default: as many as `net.core.somaxconn` allows. The kernel cuts what
    /// is more, and the report then warns ([`Warning::BacklogCut`]).
    #[doc(alias = "somaxconn")]
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = Some(connections);
        self
    }

    /// Whether the sockets speak Multipath TCP: a connection may then use several paths at once, and goes on over another
    /// when one fails. With a peer that does not speak it, it is plain TCP. Default: no.
    ///
    /// - Privilege: none. Kernel: Linux 5.6, built with `CONFIG_MPTCP`, and `net.mptcp.enabled` 1; otherwise opening
    ///   the socket is an error that says so.
    /// - Such sockets have fewer options than TCP's: the report names those they do not have.
    ///
    /// Source: mptcp(7), RFC 8684.
    #[doc(alias = "IPPROTO_MPTCP")]
    pub const fn mptcp(mut self, on: bool) -> Self {
        self.mptcp = on;
        self
    }

    /// Opens a socket, tunes it, and connects it. Blocks until the peer answers or the kernel gives up.
    ///
    /// # Errors
    ///
    /// - [`Error::System`] naming the call and the address: `ECONNREFUSED`, `ETIMEDOUT`, `EHOSTUNREACH`, …
    /// - those of [`Tuning::apply`]; the socket is closed, and nothing was sent unless the option is one that only a
    ///   connection can be asked for.
    ///
    /// Source: connect(2).
    pub fn connect(&self, peer: SocketAddr) -> Result<(TcpStream, Report)> {
        let socket = self.open(peer)?;
        let report = self.tuning.begin(&socket)?;
        let address = SockAddr::from(peer);
        // An interrupted connect goes on in the kernel; calling again waits for it.
        retry(|| socket.connect(&address))
            .map_err(|error| Error::system("connect", peer, error))?;
        let report = self.tuning.resume(&socket, report)?;
        Ok((TcpStream::from(OwnedFd::from(socket)), report))
    }

    /// Opens a socket, tunes it, binds it, and listens. Accepted connections inherit the options.
    ///
    /// Sets `SO_REUSEADDR`, as std does: without it a service cannot restart while connections of its predecessor are
    /// in TIME_WAIT.
    ///
    /// # Errors
    ///
    /// - [`Error::System`] naming the call and the address: `EADDRINUSE`, `EACCES` for a port below
    ///   `net.ipv4.ip_unprivileged_port_start`, …
    /// - those of [`Tuning::apply`]; the socket is closed.
    ///
    /// Source: bind(2), listen(2).
    #[doc(alias = "bind")]
    pub fn listen(&self, local: SocketAddr) -> Result<(TcpListener, Report)> {
        let socket = self.open(local)?;
        let mut report = self.tuning.apply(&socket)?;
        socket
            .set_reuse_address(true)
            .map_err(|error| Error::system("setsockopt SO_REUSEADDR", local, error))?;
        socket
            .bind(&SockAddr::from(local))
            .map_err(|error| Error::system("bind", local, error))?;
        let backlog = self
            .backlog
            .and_then(|connections| i32::try_from(connections).ok())
            .unwrap_or(i32::MAX);
        socket
            .listen(backlog)
            .map_err(|error| Error::system("listen", local, error))?;
        let queue = TcpInfo::of(&socket)
            .ok()
            .and_then(|info| info.accept_queue());
        if let (Some(requested), Some(queue)) = (self.backlog, queue) {
            let effective = queue.limit;
            if effective < requested {
                report.warn(Warning::BacklogCut {
                    requested,
                    effective,
                    sysctl: "net.core.somaxconn",
                });
            }
        }
        Ok((TcpListener::from(OwnedFd::from(socket)), report))
    }

    fn open(&self, address: SocketAddr) -> Result<Socket> {
        let kind = match (address, self.mptcp) {
            (SocketAddr::V4(_), false) => SocketKind::TcpV4,
            (SocketAddr::V6(_), false) => SocketKind::TcpV6,
            (SocketAddr::V4(_), true) => SocketKind::MptcpV4,
            (SocketAddr::V6(_), true) => SocketKind::MptcpV6,
        };
        kind.open()
    }
}

impl Default for TcpBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Calls again while a signal interrupts.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
