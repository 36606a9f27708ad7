use std::io;
use std::net::SocketAddr;

use super::TcpStream;
use super::inner::socket;

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
    /// - `EAGAIN` on a listener that was made non-blocking.
    /// - `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` when descriptors or memory run out. The connection keeps waiting: who
    ///   tries again at once is told the same at once.
    /// - `ECONNABORTED`, `EPERM` and errors of the network concern one connection, and the next may be fine. A peer that
    ///   has reset its connection by now is none of them: the connection is taken, and reading it says `ECONNRESET`.
    /// - `EINVAL` if it does not listen.
    ///
    /// Source: accept(2).
    #[doc(alias = "accept4")]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        // std accepts with SOCK_CLOEXEC and goes on after EINTR.
        let (stream, peer) = self.inner.accept()?;
        Ok((TcpStream::from(stream), peer))
    }
}
