use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::{Error, Result, fd};

/// A TCP connection. Made by [`TcpBuilder::connect`](super::TcpBuilder::connect), by
/// [`TcpListener::accept`](super::TcpListener::accept), or from any `OwnedFd`.
#[derive(Debug)]
pub struct TcpStream {
    inner: std::net::TcpStream,
}

impl TcpStream {
    /// This end's address.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the descriptor is no internet socket.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.inner
            .local_addr()
            .map_err(|error| Error::system("getsockname of", "stream", error))
    }

    /// The other end's address.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTCONN` once the connection is gone.
    #[doc(alias = "getpeername")]
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.inner
            .peer_addr()
            .map_err(|error| Error::system("getpeername of", "stream", error))
    }

    /// Closes it and returns what `Drop` would swallow; see [`fd::close`].
    ///
    /// # Errors
    ///
    /// Those of [`fd::close`].
    pub fn close(self) -> Result<()> {
        fd::close(self)
    }
}

impl Read for TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf)
    }
}

impl Write for TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl From<OwnedFd> for TcpStream {
    /// Takes the descriptor as it is: whether it is a connection shows when it is used.
    fn from(fd: OwnedFd) -> Self {
        Self { inner: fd.into() }
    }
}

impl From<TcpStream> for OwnedFd {
    fn from(stream: TcpStream) -> Self {
        stream.inner.into()
    }
}

impl From<std::net::TcpStream> for TcpStream {
    fn from(inner: std::net::TcpStream) -> Self {
        Self { inner }
    }
}

impl From<TcpStream> for std::net::TcpStream {
    fn from(stream: TcpStream) -> Self {
        stream.inner
    }
}
