use std::fmt;

use crate::Error;

/// A socket that cannot send without copying, and why. The socket is unchanged.
///
/// Converts into the crate's [`Error`], dropping the socket, for `?`.
pub struct NotAttached<S> {
    /// The socket.
    pub socket: S,
    /// Why; [`attach`](super::ZeroCopyOptions::attach) lists the reasons.
    pub error: Error,
}

impl<S> fmt::Debug for NotAttached<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotAttached")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Display for NotAttached<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no zero-copy sends: {}", self.error)
    }
}

impl<S> std::error::Error for NotAttached<S> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl<S> From<NotAttached<S>> for Error {
    fn from(refused: NotAttached<S>) -> Self {
        refused.error
    }
}
