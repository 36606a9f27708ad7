//! The loopback device, which is down in a fresh network namespace.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// Sets it up, in the calling thread's network namespace.
pub(crate) fn set_up() -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: a zeroed `ifreq` is a valid one: arrays, numbers, and a null pointer in a variant of its union.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = libc::c_char::try_from(*from).map_err(io::Error::other)?;
    }
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).map_err(io::Error::other)?;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq` from the third argument during the call; `request` is a live local of that type,
    // whose name ends with a NUL since the rest of it is zero. The descriptor is open: `socket` owns it.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
