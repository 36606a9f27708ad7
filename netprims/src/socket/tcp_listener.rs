use std::net::SocketAddr;

use super::TcpStream;
use super::inner::{failed, socket};
use crate::{Error, Result};

/// A TCP socket that accepts connections. Made by [`TcpBuilder::listen`](super::TcpBuilder::listen), or from any
/// `OwnedFd`.
#[derive(Debug)]
pub struct TcpListener {
    inner: std::net::TcpListener,
}

socket!(TcpListener, std::net::TcpListener, SocketAddr);

impl TcpListener {
    /// Waits for a connection and takes it, close-on-exec. It has the options of the listener, and is blocking also if
    /// the listener is not.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EMFILE` and `ENFILE` when descriptors run out (the connection keeps waiting), `EAGAIN` on a
    /// listener that was made non-blocking, `ECONNABORTED` when the peer has gone again, `EINVAL` if it does not
    /// listen.
    ///
    /// Source: accept(2).
    #[doc(alias = "accept4")]
    pub fn accept(&self) -> Result<(TcpStream, SocketAddr)> {
        // std accepts with SOCK_CLOEXEC and goes on after EINTR.
        match self.inner.accept() {
            Ok((stream, peer)) => Ok((TcpStream::from(stream), peer)),
            Err(error) => Err(match self.inner.local_addr() {
                Ok(local) => Error::system("accept on", local, error),
                Err(_) => failed("accept on", self, error),
            }),
        }
    }
}
