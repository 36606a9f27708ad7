use std::fmt;

use super::Ticket;
use crate::Error;
use crate::buffer::TxBuf;

/// A buffer that was not sent, and why.
///
/// Converts into the crate's [`Error`], dropping the buffer, for `?`.
#[derive(Debug)]
#[non_exhaustive]
pub struct NotSent {
    /// The buffer, unchanged.
    ///
    /// Or a ticket, if a datagram's sending is in doubt: it failed, and some of its fragments may be on their way, so that
    /// the kernel may read the buffer. The sender keeps it, and releases it under this ticket, with 0 bytes, if the kernel
    /// says that it is done with it; otherwise it keeps it until it is closed or dropped. Until then sends are plain
    /// ([`State::InDoubt`](super::State::InDoubt)). Seen only where a datagram may leave in several packets: where its
    /// socket is not connected, or cuts it (`UDP_SEGMENT`).
    pub buf: Result<TxBuf, Ticket>,
    /// Why; the method that returns it lists the reasons.
    pub error: Error,
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.buf {
            Ok(_) => "send refused",
            Err(_) => "a datagram's sending is in doubt",
        };
        write!(f, "{what}: {}", self.error)
    }
}

impl std::error::Error for NotSent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<NotSent> for Error {
    fn from(not_sent: NotSent) -> Self {
        not_sent.error
    }
}
