//! Bytes out of a socket, now.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `recv` that does not wait, whether or not the socket is blocking.
pub(crate) fn receive_now(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to the second argument during the call: the buffer is
    // borrowed for writing, has as many, and every bit pattern is valid. The descriptor is open: it is borrowed.
    let received = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
        )
    };
    // Negative is an error.
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}
