//! `recvmsg` with control messages.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Aligned, CONTROL_IN, count, empty, to_usize};
use crate::sys::rights;

/// What one call brought, besides the bytes.
#[derive(Debug)]
pub(crate) struct One {
    pub(crate) bytes: usize,
    /// The rest of the message was thrown away.
    pub(crate) data_cut: bool,
    /// The kernel had more control messages than it delivered.
    pub(crate) control_cut: bool,
    control: Aligned<CONTROL_IN>,
    control_len: usize,
}

impl One {
    pub(crate) fn control(&self) -> &[u8] {
        self.control.0.get(..self.control_len).unwrap_or_default()
    }
}

/// `recvmsg`. Descriptors that a Unix socket brings are closed: nobody asked for any.
pub(crate) fn receive_one(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<One> {
    let mut control = Aligned([0; CONTROL_IN]);
    let mut data = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut message = empty();
    message.msg_iov = &raw mut data;
    message.msg_iovlen = count(1);
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = count(CONTROL_IN);
    let how = libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel writes to `message`, to at most `iov_len` bytes of `buffer` and to at most `msg_controllen` bytes
    // of `control`, during the call. `buffer` is borrowed for writing, `control` is a live local of that many bytes, every
    // bit pattern is valid for both, and none is used otherwise meanwhile. No name is asked for. The socket is open: its
    // owner is borrowed.
    let bytes = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, how) };
    // Negative is an error.
    let bytes = usize::try_from(bytes).map_err(|_| io::Error::last_os_error())?;
    let mut one = One {
        bytes: bytes.min(buffer.len()),
        data_cut: message.msg_flags & libc::MSG_TRUNC != 0,
        control_cut: message.msg_flags & libc::MSG_CTRUNC != 0,
        control,
        control_len: to_usize(message.msg_controllen).min(CONTROL_IN),
    };
    let written = one.control.0.get_mut(..one.control_len);
    // SAFETY: the kernel has written these bytes in the call above, as many as it says, and nobody has seen them yet.
    unsafe { rights::close_all(written.unwrap_or_default()) };
    Ok(one)
}
