use std::io;
use std::os::unix::net::SocketAddr;

use super::UnixStream;
use super::inner::socket;

/// A Unix socket that accepts connections. Made by [`UnixBuilder::listen`](super::UnixBuilder::listen), or from any
/// `OwnedFd`.
///
/// Closing it leaves the file of a path name where it is, as the kernel does: to remove it is its owner's matter.
#[derive(Debug)]
pub struct UnixListener {
    inner: std::os::unix::net::UnixListener,
}

socket!(UnixListener, std::os::unix::net::UnixListener, SocketAddr);

impl UnixListener {
    /// Waits for a connection and takes it, close-on-exec. The address is the peer's, mostly unnamed.
    ///
    /// # Errors
    ///
    /// - `EAGAIN` on a listener that was made non-blocking.
    /// - `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` when descriptors or memory run out. The connection keeps waiting: who
    ///   tries again at once is told the same at once.
    /// - `EINVAL` if it does not listen.
    ///
    /// Source: accept(2), unix(7).
    #[doc(alias = "accept4")]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        // std accepts with SOCK_CLOEXEC and goes on after EINTR.
        let (stream, peer) = self.inner.accept()?;
        Ok((UnixStream::from(stream), peer))
    }
}
