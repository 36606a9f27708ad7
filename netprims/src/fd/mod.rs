//! Owned descriptors.
//!
//! Every descriptor this crate opens is close-on-exec and owned by a value whose `Drop` closes it. `Drop` cannot
//! return an error; [`close`] can.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::{Error, Result};

/// Closes a descriptor and returns what `Drop` would have swallowed.
///
/// The descriptor is gone afterwards in every case: Linux releases the number before it can fail, so closing is never
/// to be tried again. An interrupted close (`EINTR`) has closed and is no error.
///
/// # Errors
///
/// [`Error::System`], with for example `EIO` or `EDQUOT` from a file system that reports a failed write-back here.
///
/// Source: close(2).
pub fn close(fd: impl Into<OwnedFd>) -> Result<()> {
    let fd = fd.into();
    let number = fd.as_raw_fd();
    match nix::unistd::close(fd) {
        Ok(()) | Err(nix::Error::EINTR) => Ok(()),
        Err(errno) => Err(Error::system(
            "close",
            format_args!("fd {number}"),
            io::Error::from(errno),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    #[test]
    fn closes_the_descriptor() {
        let (near, mut far) = UnixStream::pair().unwrap();
        close(near).unwrap();
        assert_eq!(
            far.read(&mut [0; 1]).unwrap(),
            0,
            "the peer sees end of stream"
        );
    }
}
