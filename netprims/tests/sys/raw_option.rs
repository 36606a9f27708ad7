//! A socket option as the kernel takes it, asked for past every library.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// setsockopt(2) with a plain number, for options that take one.
pub(crate) fn set(socket: &impl AsFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    let len = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
    // SAFETY: the kernel reads `len` bytes from the fourth argument during the call; `value` is a live local of exactly that
    // many. The options it is called for take a number and nothing for an address. The descriptor is open: `socket`
    // borrows its owner.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            len,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
