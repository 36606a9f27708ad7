use super::Totals;
use crate::sys::uring::SocketState;

/// What became of a socket's sends, and what the next one would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SendStats {
    /// The bytes of its sends so far.
    pub totals: Totals,
    /// What [`ZcPolicy::Auto`](super::ZcPolicy::Auto) does with a send that is long enough.
    pub auto: AutoState,
}

/// What [`ZcPolicy::Auto`](super::ZcPolicy::Auto) does on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AutoState {
    /// Sends are zero-copy: they have proved to be, or nothing speaks against it yet.
    ZeroCopy,
    /// The kernel copied them all the same: sends are plain for now.
    #[non_exhaustive]
    Plain {
        /// So many more are, before zero-copy is tried again.
        sends: u32,
    },
    /// The socket has refused zero-copy: sends are plain for good.
    Refused,
}

impl From<SocketState> for SendStats {
    fn from(state: SocketState) -> Self {
        let auto = match state.plain_for {
            _ if state.plain_only => AutoState::Refused,
            Some(sends) => AutoState::Plain { sends },
            None => AutoState::ZeroCopy,
        };
        Self {
            totals: state.totals,
            auto,
        }
    }
}
