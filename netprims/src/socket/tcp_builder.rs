use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{SockAddr, Socket};

use super::{TcpListener, TcpStream, steps};
use crate::info::TcpInfo;
use crate::tuning::{Report, SocketKind, Tcp, Tuning};
use crate::{Error, Result};

/// Opens TCP sockets, tuned.
///
/// ```
/// use std::time::Duration;
/// use netprims::socket::TcpBuilder;
/// use netprims::tuning::Tuning;
///
/// const TCP: TcpBuilder = TcpBuilder::new()
///     .tuning(Tuning::tcp().nodelay(true).strict(true))
///     .connect_timeout(Duration::from_secs(3));
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
    source: Option<SocketAddr>,
    connect_timeout: Option<Duration>,
}

impl TcpBuilder {
    /// A builder without tuning.
    pub const fn new() -> Self {
        Self {
            tuning: Tuning::tcp(),
            backlog: None,
            mptcp: false,
            source: None,
            connect_timeout: None,
        }
    }

    /// What to ask of each socket it opens. Default: nothing.
    pub const fn tuning(mut self, tuning: Tuning<Tcp>) -> Self {
        self.tuning = tuning;
        self
    }

    /// How many connections may wait to be accepted. Default: as many as `net.core.somaxconn` allows. The kernel cuts
    /// what is more without a word: the report has an outcome named `listen backlog`, and a strict tuning makes an error
    /// of a cut one.
    #[doc(alias = "somaxconn")]
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = Some(connections);
        self
    }

    /// Whether the sockets speak Multipath TCP: a connection may then use several paths at once, and goes on over
    /// another when one fails. With a peer that does not speak it, it is plain TCP. Default: no.
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

    /// The local address to [connect](Self::connect) from. Default: the kernel chooses by the route to the peer. With
    /// port 0 the kernel chooses the port; [`Tuning::bind_address_no_port`] lets it use one port for several peers.
    #[doc(alias = "bind")]
    pub const fn source(mut self, local: SocketAddr) -> Self {
        self.source = Some(local);
        self
    }

    /// How long [`connect`](Self::connect) waits for the peer's answer; above zero. Default: as long as the kernel
    /// tries (`net.ipv4.tcp_syn_retries`: a minute or two).
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Opens a socket, tunes it, and connects it. Blocks until the peer answers, the kernel gives up, or the
    /// [time](Self::connect_timeout) is over. The stream is a blocking one.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: a [source](Self::source) of another family than the peer, a time of zero. There was no
    ///   socket.
    /// - [`Error::System`] naming the call and the address: `ECONNREFUSED`, `ETIMEDOUT`, `EHOSTUNREACH`, …
    /// - those of [`Tuning::apply`]; the socket is closed, and nothing was sent unless the option is one that only a
    ///   connection can be asked for.
    ///
    /// Source: connect(2).
    pub fn connect(&self, peer: SocketAddr) -> Result<(TcpStream, Report)> {
        if self.connect_timeout == Some(Duration::ZERO) {
            return Err(Error::InvalidValue {
                option: "connect_timeout",
                value: "0s".to_owned(),
                reason: "no peer answers in no time",
            });
        }
        steps::same_family(self.source, peer)?;
        let socket = self.open(peer)?;
        let report = self.tuning.begin(&socket)?;
        if let Some(source) = self.source {
            steps::bind(&socket, &SockAddr::from(source), source)?;
        }
        steps::connect(
            &socket,
            &SockAddr::from(peer),
            peer,
            self.source,
            self.connect_timeout,
        )?;
        let report = self.tuning.resume(&socket, report)?;
        Ok((TcpStream::from(OwnedFd::from(socket)), report))
    }

    /// Opens a socket, tunes it, binds it, and listens. Accepted connections inherit the options.
    ///
    /// Sets `SO_REUSEADDR`, as std does, unless the tuning says [otherwise](Tuning::reuse_address): without it a service
    /// cannot restart while connections of its predecessor are in TIME_WAIT.
    ///
    /// # Errors
    ///
    /// - [`Error::System`] naming the call and the address: `EADDRINUSE` also while connections of a predecessor that
    ///   had not set `SO_REUSEADDR` itself are in TIME_WAIT; `EACCES` for a port below
    ///   `net.ipv4.ip_unprivileged_port_start`, or where a security module forbids it; …
    /// - those of [`Tuning::apply`], [`Error::NotGranted`] for a [backlog](Self::backlog) that is cut among them; the
    ///   socket is closed.
    ///
    /// Source: bind(2), listen(2).
    #[doc(alias = "bind")]
    pub fn listen(&self, local: SocketAddr) -> Result<(TcpListener, Report)> {
        self.listen_with(local, |_, _| Ok(()), |_| Ok(()))
    }

    /// What [`listen`](Self::listen) would report at an address, here and now, the backlog included. The socket is
    /// opened, tuned and closed again; nothing is bound.
    ///
    /// # Errors
    ///
    /// Those of [`Tuning::apply`], and [`Error::System`] if there are no such sockets.
    pub fn check_listen(&self, local: SocketAddr) -> Result<Report> {
        self.tuning
            .apply_listening(&self.open(local)?, self.backlog)
    }

    /// As [`listen`](Self::listen), with a say right before and after the bind.
    pub(super) fn listen_with(
        &self,
        local: SocketAddr,
        before: impl FnOnce(&Socket, &Report) -> Result<()>,
        after: impl FnOnce(&Socket) -> Result<()>,
    ) -> Result<(TcpListener, Report)> {
        let socket = self.open(local)?;
        // Before the tuning, which may ask for the contrary.
        socket
            .set_reuse_address(true)
            .map_err(|error| Error::system("setsockopt SO_REUSEADDR", local, error))?;
        let report = self.tuning.apply_listening(&socket, self.backlog)?;
        before(&socket, &report)?;
        steps::bind(&socket, &SockAddr::from(local), local)?;
        after(&socket)?;
        steps::listen(&socket, self.backlog, local)?;
        let queue = TcpInfo::of(&socket)
            .ok()
            .and_then(|info| info.accept_queue());
        let report = match queue {
            Some(queue) => self.tuning.listening(&socket, report, queue.limit)?,
            None => report,
        };
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
