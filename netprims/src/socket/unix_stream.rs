use std::os::unix::net::SocketAddr;

use super::inner::{peer, socket, stream};

/// A Unix connection. Made by [`UnixBuilder::connect`](super::UnixBuilder::connect), by
/// [`UnixListener::accept`](super::UnixListener::accept), or from any `OwnedFd`.
///
/// Descriptors are passed over it with [`fd::pass`](crate::fd::pass).
#[derive(Debug)]
pub struct UnixStream {
    inner: std::os::unix::net::UnixStream,
}

socket!(UnixStream, std::os::unix::net::UnixStream, SocketAddr);
peer!(UnixStream, SocketAddr);
stream!(UnixStream);
