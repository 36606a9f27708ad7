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

/// getsockopt(2), as much as there is room for, of options whose value is plain bytes. Returns how much that is.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn get(
    socket: &impl AsFd,
    level: i32,
    option: i32,
    room: &mut [u8],
) -> io::Result<usize> {
    let mut len = libc::socklen_t::try_from(room.len()).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `len` bytes to the fourth argument and a socklen_t to the fifth, during the call.
    // `room` is borrowed for writing and has exactly that many; `len` is a live local of that type. The options it is called
    // for have a value of plain bytes, and take nothing in `room` for an address. The descriptor is open: `socket` borrows
    // its owner.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            room.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result == 0 {
        usize::try_from(len).map_err(io::Error::other)
    } else {
        Err(io::Error::last_os_error())
    }
}
