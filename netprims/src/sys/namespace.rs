//! What a namespace's descriptor says of itself.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

/// Whether it is a network namespace (`NS_GET_NSTYPE`, Linux 4.11). An error, `ENOTTY` most likely, if it is none at all.
pub(crate) fn is_network(fd: &OwnedFd) -> io::Result<bool> {
    // SAFETY: the request takes no argument and answers with a number. A descriptor of another kind refuses it, or takes
    // the null for an address, at which nothing can be read or written. It is open: `fd` borrows its owner.
    let kind = unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            libc::NS_GET_NSTYPE,
            ptr::null_mut::<c_void>(),
        )
    };
    if kind < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(kind == libc::CLONE_NEWNET)
}
