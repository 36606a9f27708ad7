use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// The seam to rtnetlink. Tests replace it by a kernel of their own.
pub(crate) trait Transport: Send {
    /// Sends one request.
    fn send(&mut self, request: &[u8]) -> io::Result<()>;

    /// Replaces the contents of `datagram` by the next datagram, whole.
    fn receive(&mut self, datagram: &mut Vec<u8>) -> io::Result<()>;
}

/// A socket to the kernel's routing subsystem, in the network namespace of the thread that opened
/// it.
#[derive(Debug)]
pub(crate) struct RouteSocket(OwnedFd);

impl RouteSocket {
    /// Opens the socket. Receiving fails after `patience`.
    pub(crate) fn open(patience: Duration) -> io::Result<Self> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        // Connected to port 0, the socket takes datagrams from nobody but the kernel
        // (netlink_getsockbyportid in net/netlink/af_netlink.c).
        connect(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &timeout(patience))?;
        let socket = Self(fd);
        // Both only make answers better (Linux 4.12 and 4.3); without them errors have no text.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            match socket.enable(option) {
                Err(Errno::ENOPROTOOPT) => {}
                result => result?,
            }
        }
        Ok(socket)
    }

    fn enable(&self, option: libc::c_int) -> Result<(), Errno> {
        let on: libc::c_int = 1;
        let length = libc::socklen_t::try_from(size_of_val(&on)).map_err(|_| Errno::EINVAL)?;
        // SAFETY: setsockopt(2) reads `length` bytes at the pointer during the call and keeps no
        // reference to them. `on` lives on this stack frame until after the call, is initialised,
        // and `length` is its size. The descriptor is open because `self.0` owns it.
        let result = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_NETLINK,
                option,
                (&raw const on).cast(),
                length,
            )
        };
        Errno::result(result).map(drop)
    }

    fn receive_into(&self, bytes: &mut [u8], flags: MsgFlags) -> io::Result<usize> {
        loop {
            // MSG_TRUNC: the length of the datagram, also where `bytes` is shorter.
            match recv(self.0.as_raw_fd(), bytes, flags | MsgFlags::MSG_TRUNC) {
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    let said = "the kernel did not answer in time";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, said));
                }
                result => return Ok(result?),
            }
        }
    }
}

impl Transport for RouteSocket {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        loop {
            match send(self.0.as_raw_fd(), request, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                // A datagram is taken whole or not at all.
                result => return Ok(result.map(drop)?),
            }
        }
    }

    fn receive(&mut self, datagram: &mut Vec<u8>) -> io::Result<()> {
        // The kernel answers with as much as it takes, 400 KiB for 2000 VFs, so ask first.
        let length = self.receive_into(&mut [], MsgFlags::MSG_PEEK)?;
        datagram.resize(length, 0);
        let received = self.receive_into(datagram, MsgFlags::empty())?;
        if received == length {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a datagram of {received} bytes where {length} were announced"),
            ))
        }
    }
}

/// At least a microsecond, for zero would mean for ever, and at most a day.
fn timeout(patience: Duration) -> TimeVal {
    let day = 24 * 60 * 60 * 1_000_000;
    TimeVal::microseconds(i64::try_from(patience.as_micros()).map_or(day, |us| us.clamp(1, day)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::{Links, Session};

    #[test]
    fn reads_the_loopback_device_from_the_running_kernel() {
        let socket = RouteSocket::open(Duration::from_secs(5)).unwrap();
        let links = Links::read(&mut Session::new(Box::new(socket))).unwrap();
        let loopback = links.named("lo").unwrap();
        assert_eq!(loopback.netdev.ifindex.get(), 1);
        assert_eq!(loopback.parent, None);
    }

    #[test]
    fn waits_no_longer_than_told() {
        let mut socket = RouteSocket::open(Duration::from_millis(20)).unwrap();
        let error = socket.receive(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
