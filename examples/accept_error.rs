//! What an error of accept(2) is to a service, which must outlive most of them.

use std::io;
use std::time::Duration;

use nix::errno::Errno;

/// How long to leave a listener alone when there is no descriptor or memory for another connection. The connection keeps
/// waiting, so trying again at once would only keep a CPU busy.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptError {
    /// Nobody waits, on a non-blocking listener.
    Nobody,
    /// One connection is lost; the next may be fine.
    OneConnection,
    /// Descriptors or memory ran out: it may pass.
    Exhausted,
    /// There is nothing to go on with.
    Listener,
}

impl AcceptError {
    pub(crate) fn of(error: &io::Error) -> Self {
        use Errno::*;
        match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            EAGAIN => Self::Nobody,
            EMFILE | ENFILE | ENOBUFS | ENOMEM => Self::Exhausted,
            // Of the connection that would have been accepted, as accept(2) lists them.
            ECONNABORTED | EPERM | EPROTO | ENOPROTOOPT | EOPNOTSUPP | ENETDOWN | ENETUNREACH
            | EHOSTDOWN | EHOSTUNREACH | ENONET => Self::OneConnection,
            _ => Self::Listener,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_concerns_the_listener_ends_a_service() {
        for (errno, want) in [
            (Errno::EAGAIN, AcceptError::Nobody),
            (Errno::ECONNABORTED, AcceptError::OneConnection),
            (Errno::EMFILE, AcceptError::Exhausted),
            (Errno::ENOMEM, AcceptError::Exhausted),
            (Errno::EINVAL, AcceptError::Listener),
            (Errno::EBADF, AcceptError::Listener),
        ] {
            assert_eq!(AcceptError::of(&errno.into()), want, "{errno}");
        }
    }
}
