use std::io;
use std::net::SocketAddr;

use super::inner::{datagrams, peer, socket};
use crate::fd::retry;

/// A UDP socket. Made by [`UdpBuilder`](super::UdpBuilder), or from any `OwnedFd`.
#[derive(Debug)]
pub struct UdpSocket {
    inner: std::net::UdpSocket,
}

socket!(UdpSocket, std::net::UdpSocket, SocketAddr);
peer!(UdpSocket, SocketAddr);
datagrams!(UdpSocket);

impl UdpSocket {
    /// Sends a datagram to an address. Returns how many bytes were taken, which is all.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` for more than 65 507 bytes (65 527 over IPv6), or more than the path takes where it must not be
    /// fragmented; `ENETUNREACH`, `EHOSTUNREACH`, `EACCES` for a broadcast address, `EAGAIN` on a non-blocking socket.
    ///
    /// Source: sendto(2), udp(7).
    #[doc(alias = "sendto")]
    pub fn send_to(&self, data: &[u8], peer: SocketAddr) -> io::Result<usize> {
        retry(|| self.inner.send_to(data, peer))
    }

    /// Receives a datagram, and says from whom. Returns how many bytes of it are in `data`; what does not fit is lost.
    ///
    /// # Errors
    ///
    /// `EAGAIN` on a non-blocking socket, `ECONNREFUSED` if the socket is connected and its peer was found absent.
    ///
    /// Source: recvfrom(2).
    #[doc(alias = "recvfrom")]
    pub fn recv_from(&self, data: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        retry(|| self.inner.recv_from(data))
    }
}
