//! How many bytes are in a socket's queues.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use socket2::SockRef;

/// Which queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    /// `SIOCINQ`.
    Unread,
    /// `SIOCOUTQ`.
    Outstanding,
    /// `SIOCOUTQNSD`.
    Unsent,
}

/// `include/uapi/linux/sockios.h`; the other two are a terminal's requests.
const SIOCOUTQNSD: libc::Ioctl = 0x894B;

pub(crate) fn bytes(socket: &impl AsFd, queue: Queue) -> io::Result<c_int> {
    // Refuses what is no socket: the numbers may mean anything there.
    SockRef::from(socket).r#type()?;
    let request = match queue {
        Queue::Unread => libc::FIONREAD,
        Queue::Outstanding => libc::TIOCOUTQ,
        Queue::Unsent => SIOCOUTQNSD,
    };
    let mut bytes: c_int = 0;
    // SAFETY: a socket answers each of these requests by an `int` written to the argument during the call, or refuses it;
    // that it is one, the line above has made sure of. `bytes` is a live local of that type, for which every bit pattern
    // is valid, and is not used otherwise meanwhile. The descriptor is open, and the same as before: its owner is borrowed.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), request, &raw mut bytes) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(bytes)
}
