use std::io;

use super::message::Message;
use super::state::Limit;
use crate::sys::memory::Slot;
use crate::sys::usage::Usage;

/// What became of a buffer that was given to the socket.
pub(crate) enum Taken {
    /// It was copied.
    Copied(Slot),
    /// It comes back with [`Outcome::Released`]; so many bytes of it are not taken yet.
    Held { ticket: u64, rest: usize },
    /// Not taken: sending it failed. The kernel may read it all the same; it comes back in the same way, if it does.
    Doubtful { ticket: u64, error: io::Error },
}

/// Why nothing was taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    Full(Limit),
    System(io::Error),
}

impl Refusal {
    pub(super) fn would_block() -> Self {
        Self::System(io::Error::from_raw_os_error(libc::EAGAIN))
    }
}

/// What happened.
#[expect(
    clippy::large_enum_variant,
    reason = "a box for every timestamp would be an allocation for every send"
)]
pub(crate) enum Outcome {
    Released {
        ticket: u64,
        slot: Slot,
        bytes: usize,
        usage: Usage,
    },
    Other(Message),
}
