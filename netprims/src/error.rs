use std::io;

use crate::datagram::{Fault, Sent};
use crate::fd::pass::Cut;
use crate::tuning::Report;

/// What went wrong, on what, and what to do about it.
///
/// The text of every variant names the operation and its object; [`Error::raw_os_error`] gives the errno where there
/// is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    #[error("{operation} {object}: {error}{}", in_brackets(.advice))]
    System {
        /// What was attempted, named after the system call.
        operation: &'static str,
        /// On what: an address, an option, a path.
        object: String,
        /// The kernel's answer.
        error: io::Error,
        /// What would help, where that is known.
        advice: Option<&'static str>,
    },

    /// A value was refused before the kernel was asked; nothing was changed.
    #[error("{option} = {value}: {reason}")]
    InvalidValue {
        /// The option, by its C name, or the argument.
        option: &'static str,
        /// The value as it was given.
        value: String,
        /// Why it cannot be.
        reason: &'static str,
    },

    /// A strict [`Tuning`](crate::tuning::Tuning) was not granted in full. The report says which options are in
    /// effect all the same: the socket is tuned as far as the kernel allowed.
    #[error("tuning not granted in full:\n{0}")]
    NotGranted(Box<Report>),

    /// A message that brings descriptors did not arrive whole. The descriptors that did come with it are closed; what
    /// came of its bytes is in the buffer.
    #[error(
        "receive descriptors: {cut}; {bytes} bytes arrived, {fds} descriptors came and were closed"
    )]
    MessageCut {
        /// What is missing.
        cut: Cut,
        /// How many bytes of the message are in the buffer.
        bytes: usize,
        /// How many descriptors came, and were closed.
        fds: usize,
    },

    /// The kernel refused a message of a batch, or the batch itself did. Those before it went, those behind it were not
    /// tried.
    #[error(
        "sendmmsg, message {}: {error} ({fault}); {} datagrams went before",
        .sent.messages(),
        .sent.datagrams()
    )]
    NotSent {
        /// What went, and so which message it was.
        sent: Sent,
        /// Why not.
        fault: Fault,
        /// The kernel's answer, or what it would have said.
        error: io::Error,
    },

    /// This process may not, or this kernel cannot, create an io_uring.
    #[cfg(feature = "ring")]
    #[error("{operation}: {refusal}")]
    RingRefused {
        /// The system call that was refused.
        operation: &'static str,
        /// By whom.
        refusal: crate::ring::Refusal,
    },

    /// A zero-copy send has no room beside those in flight, and the sender was told not to copy instead.
    #[error("no room for another zero-copy send: {0}")]
    ZeroCopyFull(crate::zerocopy::Limit),

    /// As many requests are in flight as the ring was built for. Poll the ring and try again, or build it with a larger
    /// [`in_flight`](crate::ring::RingBuilder::in_flight).
    #[cfg(feature = "ring")]
    #[error(
        "the ring is full: poll it until requests have ended, or build it with a larger in_flight"
    )]
    RingFull,

    /// The socket handle is of another ring, or its socket was removed.
    #[cfg(feature = "ring")]
    #[error("no such socket in this ring: it was removed, or belongs to another ring")]
    UnknownSocket,

    /// The ticket names no request in flight: its last event was told.
    #[cfg(feature = "ring")]
    #[error("no such request in flight: its last event was told")]
    UnknownRequest,

    /// The ticket is another ring's.
    #[cfg(feature = "ring")]
    #[error("the ticket is another ring's: only the ring that gave it can cancel its request")]
    ForeignTicket,

    /// The pool to receive into is another ring's.
    #[cfg(feature = "ring")]
    #[error("the pool to receive into is another ring's: make one with this ring's rx_pool")]
    ForeignPool,

    /// The socket is received from already. Of two receives, nobody could tell whose bytes come first.
    #[cfg(feature = "ring")]
    #[error("the ring receives from this socket already: cancel that first")]
    AlreadyReceiving,

    /// The buffer is not from a pool of this ring's.
    #[cfg(feature = "ring")]
    #[error("the buffer is not from this ring's pools: take one from what its tx_pool made")]
    ForeignBuffer,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The kernel's errno, if the kernel was what failed.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::System { error, .. } | Self::NotSent { error, .. } => error.raw_os_error(),
            #[cfg(feature = "ring")]
            Self::RingRefused { refusal, .. } => refusal.raw_os_error(),
            _ => None,
        }
    }

    /// Whether a non-blocking descriptor was not ready (`EAGAIN`): wait for it, and try again.
    #[doc(alias = "EWOULDBLOCK")]
    pub fn is_would_block(&self) -> bool {
        self.raw_os_error() == Some(libc::EAGAIN)
    }

    pub(crate) fn system(operation: &'static str, object: impl ToString, error: io::Error) -> Self {
        Self::System {
            operation,
            object: object.to_string(),
            error,
            advice: None,
        }
    }

    pub(crate) fn advised(
        operation: &'static str,
        object: impl ToString,
        error: io::Error,
        advice: &'static str,
    ) -> Self {
        Self::System {
            operation,
            object: object.to_string(),
            error,
            advice: Some(advice),
        }
    }
}

fn in_brackets(text: &Option<&'static str>) -> String {
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}
