use std::io;
use std::os::unix::net::SocketAddr;

use super::inner::{datagrams, peer, socket};
use crate::fd::retry;

/// A Unix socket of datagrams, none of which is lost or out of order. Made by
/// [`UnixBuilder`](super::UnixBuilder), or from any `OwnedFd`.
///
/// Closing it leaves the file of a path name where it is, as the kernel does: to remove it is its owner's matter.
#[derive(Debug)]
pub struct UnixDatagram {
    inner: std::os::unix::net::UnixDatagram,
}

socket!(UnixDatagram, std::os::unix::net::UnixDatagram, SocketAddr);
peer!(UnixDatagram, SocketAddr);
datagrams!(UnixDatagram);

impl UnixDatagram {
    /// Sends a datagram to a name. Waits while the receiver's queue (`net.unix.max_dgram_qlen`) is full. Returns how
    /// many bytes were taken, which is all.
    ///
    /// # Errors
    ///
    /// `ENOENT` or `ECONNREFUSED` if nobody is there, `EPROTOTYPE` if a stream socket is, `EPERM` if the receiver is
    /// connected to another socket, `EACCES` without write permission, `EMSGSIZE` for one larger than the send buffer,
    /// `EAGAIN` on a non-blocking socket.
    ///
    /// Source: sendto(2), unix(7).
    #[doc(alias = "sendto")]
    pub fn send_to(&self, data: &[u8], peer: &SocketAddr) -> io::Result<usize> {
        retry(|| self.inner.send_to_addr(data, peer))
    }

    /// Receives a datagram, and says from whom. Returns how many bytes of it are in `data`; what does not fit is lost.
    ///
    /// # Errors
    ///
    /// `EAGAIN` on a non-blocking socket.
    ///
    /// Source: recvfrom(2).
    #[doc(alias = "recvfrom")]
    pub fn recv_from(&self, data: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        retry(|| self.inner.recv_from(data))
    }
}
