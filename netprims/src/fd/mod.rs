//! Descriptors that own what they stand for.
//!
//! | type | is |
//! |---|---|
//! | [`Epoll`] | a set of descriptors to wait for, with its busy-poll parameters ([`BusyPoll`]) |
//! | [`EventFd`] | a counter one thread adds to and another waits for |
//! | [`TimerFd`] | a timer that is waited for like a socket |
//! | [`PidFd`] | a process that cannot be mistaken for another |
//! | [`MemFd`] | memory without a file system, and its seals |
//! | [`NetNs`](crate::netns::NetNs) | a network namespace |
//!
//! [`pass`] sends and receives descriptors over Unix sockets.
//!
//! Every descriptor this crate opens or receives is close-on-exec and owned by a value whose `Drop` closes it. `Drop`
//! cannot return an error; [`close`] and each type's `close` can. The types convert from and to `OwnedFd`, and through
//! it from and to the types of std, socket2 and tokio. Taking an `OwnedFd` checks nothing: a descriptor of another kind
//! shows in the errors of the first call.

pub mod pass;

mod epoll;
mod eventfd;
mod memfd;
mod owned;
mod pidfd;
mod timerfd;

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

pub use epoll::{BusyPoll, Epoll, Event, Events, Interest};
pub use eventfd::{EventFd, EventFdOptions};
pub use memfd::{MemFd, MemFdOptions, Seals};
pub(crate) use owned::owned_fd;
pub use pidfd::PidFd;
pub use timerfd::{Clock, TimerFd, TimerFdOptions};

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

/// Calls again while a signal interrupts.
pub(crate) fn retry<T, E: Into<io::Error>>(
    mut call: impl FnMut() -> Result<T, E>,
) -> io::Result<T> {
    loop {
        match call().map_err(Into::into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Reads the 8 bytes an eventfd or a timerfd gives.
fn read_count(fd: &impl AsFd) -> io::Result<u64> {
    let mut bytes = [0; 8];
    match retry(|| nix::unistd::read(fd, &mut bytes))? {
        8 => Ok(u64::from_ne_bytes(bytes)),
        _ => Err(io::ErrorKind::InvalidData.into()),
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

    #[test]
    fn what_is_interrupted_is_called_again() {
        let mut answers = vec![Ok(3), Err(nix::Error::EINTR), Err(nix::Error::EINTR)];
        assert_eq!(retry(|| answers.pop().unwrap()).unwrap(), 3);
        let error = retry(|| Err::<(), _>(nix::Error::EIO)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
    }
}
