//! Descriptors sent over Unix sockets.
//!
//! The sender keeps its descriptors; the receiver gets its own of the same open files, close-on-exec. They travel with
//! the bytes of one message. On a stream that is the first byte sent with them, and one [`receive`] never joins the
//! descriptors of two [`send`]s.
//!
//! Whatever arrives is owned before anything is decided: a message that is cut, has more descriptors than asked for, or
//! has some nobody asked for (`SO_PASSPIDFD`), closes them and leaks none.
//!
//! ```
//! use std::os::fd::AsFd;
//! use std::os::unix::net::UnixStream;
//! use netprims::fd::{EventFd, pass};
//!
//! let (near, far) = UnixStream::pair()?;
//! let bell = EventFd::new()?;
//! pass::send(&near, b"bell", &[bell.as_fd()])?;
//!
//! let mut text = [0; 16];
//! let message = pass::receive(&far, &mut text, 1)?;
//! assert_eq!(&text[..message.bytes()], b"bell");
//! let theirs = message.into_fds().pop().map(EventFd::from).unwrap();
//! theirs.add(1)?;
//! assert_eq!(bell.take()?, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cut;
mod message;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

pub use cut::Cut;
pub use message::Message;

use super::retry;
use crate::sys::rights;
use crate::{Error, Result};

/// As many descriptors as one message carries.
#[doc(alias = "SCM_MAX_FD")]
pub const MAX_FDS: usize = rights::MOST;

/// Sends bytes, and descriptors with the first of them. Returns how many bytes were taken; on a stream that can be fewer
/// than there are, and the rest is then to be sent without the descriptors.
///
/// A peer that is gone is `EPIPE`, never a signal.
///
/// # Errors
///
/// - [`Error::InvalidValue`]: more than [`MAX_FDS`] descriptors, or descriptors without a byte to travel with, which a
///   stream would lose. Nothing was sent.
/// - [`Error::System`]: `EPIPE`, `ECONNRESET`, `EAGAIN` on a non-blocking socket, `EMSGSIZE` for a datagram that is too
///   long; `ETOOMANYREFS` if more descriptors of this user are on their way than `RLIMIT_NOFILE` allows, or in a nesting
///   too deep; `EINVAL` if the socket is no Unix socket. Nothing was sent.
///
/// Source: unix(7), sendmsg(2).
#[doc(alias = "SCM_RIGHTS")]
#[doc(alias = "sendmsg")]
pub fn send(socket: &impl AsFd, data: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize> {
    let invalid = |reason| Error::InvalidValue {
        option: "SCM_RIGHTS",
        value: format!("{} descriptors with {} bytes", fds.len(), data.len()),
        reason,
    };
    if fds.len() > MAX_FDS {
        return Err(invalid("a message carries at most 253 descriptors"));
    }
    if data.is_empty() && !fds.is_empty() {
        return Err(invalid("descriptors travel with a byte"));
    }
    let socket = socket.as_fd();
    retry(|| rights::send(socket, data, fds)).map_err(|error| match error.raw_os_error() {
        Some(libc::ETOOMANYREFS) => {
            let advice = "descriptors of this user wait to be received; raise RLIMIT_NOFILE";
            Error::advised("sendmsg on", name(socket), error, advice)
        }
        _ => Error::system("sendmsg on", name(socket), error),
    })
}

/// Receives one message: its bytes into `data`, and its descriptors, of which there may be at most `limit`. Waits for it,
/// unless the socket is non-blocking.
///
/// A message without bytes and descriptors is the end of a stream, or an empty datagram.
///
/// # Errors
///
/// - [`Error::MessageCut`]: descriptors were lost or more than `limit`, or `data` is too small for the datagram. The
///   message is consumed, what came of its bytes is in `data`, and its descriptors are closed.
/// - [`Error::System`]: `EAGAIN` on a non-blocking socket, `ECONNRESET`, `ENOTSOCK`. Nothing was received.
///
/// Source: unix(7), recvmsg(2), `net/core/scm.c`.
#[doc(alias = "SCM_RIGHTS")]
#[doc(alias = "recvmsg")]
pub fn receive(socket: &impl AsFd, data: &mut [u8], limit: usize) -> Result<Message> {
    let socket = socket.as_fd();
    let arrival = retry(|| rights::receive(socket, data))
        .map_err(|error: io::Error| Error::system("recvmsg on", name(socket), error))?;
    Message::of(arrival, limit)
}

fn name(socket: BorrowedFd<'_>) -> String {
    format!("fd {}", socket.as_raw_fd())
}
