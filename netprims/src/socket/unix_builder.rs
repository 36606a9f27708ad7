use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::{SockAddr, Socket};

use super::unix_name::Name;
use super::unix_table;
use super::{UnixDatagram, UnixListener, UnixStream, steps};
use crate::tuning::{Report, SocketKind, Tuning, Unix};
use crate::{Error, Result};

/// Opens Unix sockets, tuned. Their names are std's: a path, an
/// [abstract name](std::os::linux::net::SocketAddrExt::from_abstract_name), or, for a socket that is bound, unnamed
/// (`from_pathname("")`), which lets the kernel choose an abstract one.
///
/// A path name is a file that outlives its socket. No file is ever removed that was not asked to be: see
/// [`replace_stale`](Self::replace_stale).
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::linux::net::SocketAddrExt;
/// use std::os::unix::net::SocketAddr;
/// use netprims::socket::UnixBuilder;
///
/// const UNIX: UnixBuilder = UnixBuilder::new().backlog(128);
///
/// let name = SocketAddr::from_abstract_name(format!("example {}", std::process::id()))?;
/// let (listener, report) = UNIX.listen(&name)?;
/// println!("{report}");
/// let (mut near, _) = UNIX.connect(&name)?;
/// let (mut far, _) = listener.accept()?;
/// near.write_all(b"hello")?;
/// far.read_exact(&mut [0; 5])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UnixBuilder {
    tuning: Tuning<Unix>,
    backlog: Option<u32>,
    replace_stale: bool,
}

impl UnixBuilder {
    /// A builder without tuning.
    pub const fn new() -> Self {
        Self {
            tuning: Tuning::unix(),
            backlog: None,
            replace_stale: false,
        }
    }

    /// What to ask of each socket it opens. Default: nothing.
    pub const fn tuning(mut self, tuning: Tuning<Unix>) -> Self {
        self.tuning = tuning;
        self
    }

    /// How many connections may wait to be accepted; one more than that is let in. Default: as many as
    /// `net.core.somaxconn` allows. The kernel cuts what is more without a word: the report has an outcome named
    /// `listen backlog`, and a strict tuning makes an error of a cut one. Unix sockets do not tell their backlog: what is
    /// in effect is worked out from the sysctl.
    #[doc(alias = "somaxconn")]
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = Some(connections);
        self
    }

    /// Whether to remove the file at the path to bind to if it is the socket of a server that is gone. Default: no,
    /// `EADDRINUSE`.
    ///
    /// Removed is only what refuses a connection, and only if it is a socket; a server that is there sees a connection
    /// that ends at once. One that is bound and does not listen yet is found in `/proc/net/unix`; a socket there whose
    /// name is a relative path counts as this one if it ends in the same file name. Not found so is one of another
    /// network or mount namespace, or any if `/proc` is not mounted. Two servers that start at one path at the same
    /// moment may still remove each other's: where that can happen, let them hold a lock.
    pub const fn replace_stale(mut self, on: bool) -> Self {
        self.replace_stale = on;
        self
    }

    /// Opens a stream socket, tunes it, binds it, and listens.
    ///
    /// An accepted connection does not inherit the options; [`Tuning::apply`] is for it, too.
    ///
    /// # Errors
    ///
    /// - [`Error::System`] naming the call and the name: `EADDRINUSE`, `ENOENT` and `EACCES` for the folder, …
    /// - those of [`Tuning::apply`], [`Error::NotGranted`] for a [backlog](Self::backlog) that is cut among them; the
    ///   socket is closed.
    ///
    /// Source: unix(7), listen(2).
    #[doc(alias = "bind")]
    pub fn listen(&self, name: &SocketAddr) -> Result<(UnixListener, Report)> {
        let (socket, report) = self.bind(SocketKind::UnixStream, name, self.backlog)?;
        steps::listen(&socket, self.backlog, Name(name))?;
        Ok((UnixListener::from(OwnedFd::from(socket)), report))
    }

    /// What [`listen`](Self::listen) would report, here and now, the backlog included. The socket is opened, tuned and
    /// closed again; nothing is bound.
    ///
    /// # Errors
    ///
    /// Those of [`Tuning::apply`].
    pub fn check_listen(&self) -> Result<Report> {
        let socket = SocketKind::UnixStream.open()?;
        self.tuning.apply_listening(&socket, self.backlog)
    }

    /// Opens a stream socket, tunes it, and connects it. Waits while the listener's queue is full.
    ///
    /// # Errors
    ///
    /// - [`Error::System`] naming the call and the name: `ENOENT` if there is no such name, `ECONNREFUSED` if nobody
    ///   listens there, `EACCES` without write permission, `EPROTOTYPE` if it is a socket of another kind, …
    /// - those of [`Tuning::apply`]; the socket is closed.
    ///
    /// Source: unix(7), connect(2).
    pub fn connect(&self, name: &SocketAddr) -> Result<(UnixStream, Report)> {
        let (socket, report) = self.join(SocketKind::UnixStream, name)?;
        Ok((UnixStream::from(OwnedFd::from(socket)), report))
    }

    /// Opens a datagram socket, tunes it, and binds it.
    ///
    /// # Errors
    ///
    /// Those of [`listen`](Self::listen).
    pub fn bind_datagram(&self, name: &SocketAddr) -> Result<(UnixDatagram, Report)> {
        let (socket, report) = self.bind(SocketKind::UnixDatagram, name, None)?;
        Ok((UnixDatagram::from(OwnedFd::from(socket)), report))
    }

    /// Opens a datagram socket, tunes it, and connects it: it sends to that name. It has no name of its own, so there
    /// are no answers.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn connect_datagram(&self, name: &SocketAddr) -> Result<(UnixDatagram, Report)> {
        let (socket, report) = self.join(SocketKind::UnixDatagram, name)?;
        Ok((UnixDatagram::from(OwnedFd::from(socket)), report))
    }

    fn bind(
        &self,
        kind: SocketKind,
        name: &SocketAddr,
        backlog: Option<u32>,
    ) -> Result<(Socket, Report)> {
        let address = Name(name).to_kernel()?;
        let socket = kind.open()?;
        let report = self.tuning.apply_listening(&socket, backlog)?;
        let bound = steps::bind(&socket, &address, Name(name));
        let in_use = matches!(&bound, Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE));
        match name.as_pathname() {
            Some(path) if in_use && self.replace_stale && remove_stale(path, &address, kind)? => {
                steps::bind(&socket, &address, Name(name))?;
            }
            _ => bound?,
        }
        Ok((socket, report))
    }

    fn join(&self, kind: SocketKind, name: &SocketAddr) -> Result<(Socket, Report)> {
        let address = Name(name).to_kernel()?;
        let socket = kind.open()?;
        let report = self.tuning.begin(&socket)?;
        steps::connect(&socket, &address, Name(name), None, None)?;
        let report = self.tuning.resume(&socket, report)?;
        Ok((socket, report))
    }
}

impl Default for UnixBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Removes the file if it is a socket and nobody is behind it; whether it did.
fn remove_stale(path: &Path, address: &SockAddr, kind: SocketKind) -> Result<bool> {
    let identity = |path: &Path| -> Option<(u64, u64)> {
        let file = path.symlink_metadata().ok()?;
        let is_socket = file.file_type().is_socket();
        is_socket.then_some((file.dev(), file.ino()))
    };
    let Some(found) = identity(path) else {
        return Ok(false);
    };
    // Before the probe: what listens since this look answers the probe.
    let table = unix_table::read();
    let is_this = |other: &Path| match other.is_absolute() {
        true => identity(other) == Some(found),
        false => other.file_name() == path.file_name(),
    };
    if unix_table::waiting(&table).any(is_this) {
        return Ok(false);
    }
    let probe = kind.open()?;
    // A server whose queue is full is one.
    let probed = probe
        .set_nonblocking(true)
        .and_then(|()| probe.connect(address));
    if !matches!(probed, Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED)) {
        return Ok(false);
    }
    // Another may have taken the place meanwhile.
    if identity(path) != Some(found) {
        return Ok(false);
    }
    std::fs::remove_file(path)
        .map(|()| true)
        .map_err(|error| Error::system("unlink", path.display(), error))
}
