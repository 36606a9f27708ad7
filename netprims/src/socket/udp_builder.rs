use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use socket2::{SockAddr, Socket};

use super::{UdpSocket, steps};
use crate::Result;
use crate::tuning::{Report, SocketKind, Tuning, Udp};

/// Opens UDP sockets, tuned.
///
/// ```
/// use netprims::socket::UdpBuilder;
/// use netprims::tuning::Tuning;
///
/// const UDP: UdpBuilder = UdpBuilder::new().tuning(Tuning::udp().receive_buffer(1 << 20));
///
/// let (socket, report) = UDP.bind("127.0.0.1:0".parse()?)?;
/// println!("{report}");
/// let (peer, _) = UDP.connect(socket.local_addr()?)?;
/// peer.send(b"hello")?;
/// assert_eq!(socket.recv_from(&mut [0; 16])?, (5, peer.local_addr()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UdpBuilder {
    tuning: Tuning<Udp>,
    source: Option<SocketAddr>,
}

impl UdpBuilder {
    /// A builder without tuning.
    pub const fn new() -> Self {
        Self {
            tuning: Tuning::udp(),
            source: None,
        }
    }

    /// What to ask of each socket it opens. Default: nothing.
    pub const fn tuning(mut self, tuning: Tuning<Udp>) -> Self {
        self.tuning = tuning;
        self
    }

    /// The local address to [connect](Self::connect) from. Default: the kernel chooses by the route to the peer.
    pub const fn source(mut self, local: SocketAddr) -> Self {
        self.source = Some(local);
        self
    }

    /// Opens a socket, tunes it, and binds it. It receives from everybody.
    ///
    /// # Errors
    ///
    /// - [`Error::System`](crate::Error::System) naming the call and the address: `EADDRINUSE`, `EADDRNOTAVAIL`,
    ///   `EACCES` for a port below `net.ipv4.ip_unprivileged_port_start`, …
    /// - those of [`Tuning::apply`]; the socket is closed.
    ///
    /// Source: bind(2), udp(7).
    pub fn bind(&self, local: SocketAddr) -> Result<(UdpSocket, Report)> {
        self.bind_with(local, |_, _| Ok(()), |_| Ok(()))
    }

    /// As [`bind`](Self::bind), with a say right before and after the bind.
    pub(super) fn bind_with(
        &self,
        local: SocketAddr,
        before: impl FnOnce(&Socket, &Report) -> Result<()>,
        after: impl FnOnce(&Socket) -> Result<()>,
    ) -> Result<(UdpSocket, Report)> {
        let socket = open(local)?;
        let report = self.tuning.apply(&socket)?;
        before(&socket, &report)?;
        steps::bind(&socket, &SockAddr::from(local), local)?;
        after(&socket)?;
        Ok((UdpSocket::from(OwnedFd::from(socket)), report))
    }

    /// Opens a socket, tunes it, and connects it: it sends to the peer, and receives from the peer only. Nothing is
    /// sent yet.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`](crate::Error::InvalidValue): a [source](Self::source) of another family than the peer.
    ///   There was no socket.
    /// - [`Error::System`](crate::Error::System) naming the call and the address: `ENETUNREACH`, `EACCES` for a
    ///   broadcast address, …
    /// - those of [`Tuning::apply`]; the socket is closed.
    ///
    /// Source: connect(2), udp(7).
    pub fn connect(&self, peer: SocketAddr) -> Result<(UdpSocket, Report)> {
        steps::same_family(self.source, peer)?;
        let socket = open(peer)?;
        let report = self.tuning.begin(&socket)?;
        if let Some(source) = self.source {
            steps::bind(&socket, &SockAddr::from(source), source)?;
        }
        steps::connect(&socket, &SockAddr::from(peer), peer, self.source, None)?;
        let report = self.tuning.resume(&socket, report)?;
        Ok((UdpSocket::from(OwnedFd::from(socket)), report))
    }
}

impl Default for UdpBuilder {
    fn default() -> Self {
        Self::new()
    }
}

fn open(address: SocketAddr) -> Result<Socket> {
    match address {
        SocketAddr::V4(_) => SocketKind::UdpV4.open(),
        SocketAddr::V6(_) => SocketKind::UdpV6.open(),
    }
}
