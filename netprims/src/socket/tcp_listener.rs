use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::TcpStream;
use crate::{Error, Result, fd};

/// A TCP socket that accepts connections. Made by [`TcpBuilder::listen`](super::TcpBuilder::listen), or from any
/// `OwnedFd`.
#[derive(Debug)]
pub struct TcpListener {
    inner: std::net::TcpListener,
}

impl TcpListener {
    /// Waits for a connection and takes it, close-on-exec. It has the options of the listener.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EMFILE` and `ENFILE` when descriptors run out (the connection keeps waiting), `EAGAIN` on a
    /// listener that was made non-blocking, `ECONNABORTED` when the peer has gone again.
    ///
    /// Source: accept(2).
    #[doc(alias = "accept4")]
    pub fn accept(&self) -> Result<(TcpStream, SocketAddr)> {
        // std accepts with SOCK_CLOEXEC and goes on after EINTR.
        let (stream, peer) = self
            .inner
            .accept()
            .map_err(|error| Error::system("accept on", self.name(), error))?;
        Ok((TcpStream::from(stream), peer))
    }

    /// The address it listens on, with the port the kernel chose if it was left to it.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the descriptor is no internet socket.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.inner
            .local_addr()
            .map_err(|error| Error::system("getsockname of", "listener", error))
    }

    /// Closes it and returns what `Drop` would swallow; see [`fd::close`].
    ///
    /// # Errors
    ///
    /// Those of [`fd::close`].
    pub fn close(self) -> Result<()> {
        fd::close(self)
    }

    fn name(&self) -> String {
        self.inner
            .local_addr()
            .map_or_else(|_| "listener".to_owned(), |local| local.to_string())
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl From<OwnedFd> for TcpListener {
    /// Takes the descriptor as it is: whether it is a listening socket shows when it is used.
    fn from(fd: OwnedFd) -> Self {
        Self { inner: fd.into() }
    }
}

impl From<TcpListener> for OwnedFd {
    fn from(listener: TcpListener) -> Self {
        listener.inner.into()
    }
}

impl From<std::net::TcpListener> for TcpListener {
    fn from(inner: std::net::TcpListener) -> Self {
        Self { inner }
    }
}

impl From<TcpListener> for std::net::TcpListener {
    fn from(listener: TcpListener) -> Self {
        listener.inner
    }
}
