use std::os::unix::net::SocketAddr;

use super::UnixStream;
use super::inner::{failed, socket};
use super::unix_name::Name;
use crate::{Error, Result};

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
    /// [`Error::System`]: `EMFILE` and `ENFILE` when descriptors run out (the connection keeps waiting), `EAGAIN` on a
    /// listener that was made non-blocking, `EINVAL` if it does not listen.
    ///
    /// Source: accept(2), unix(7).
    #[doc(alias = "accept4")]
    pub fn accept(&self) -> Result<(UnixStream, SocketAddr)> {
        // std accepts with SOCK_CLOEXEC and goes on after EINTR.
        match self.inner.accept() {
            Ok((stream, peer)) => Ok((UnixStream::from(stream), peer)),
            Err(error) => Err(match self.inner.local_addr() {
                Ok(local) => Error::system("accept on", Name(&local), error),
                Err(_) => failed("accept on", self, error),
            }),
        }
    }
}
