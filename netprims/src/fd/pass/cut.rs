use std::fmt;

/// What is missing of a message, or too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Descriptors: the kernel delivered fewer than were sent, most likely because this process may open no more
    /// (`RLIMIT_NOFILE`), or a security module kept one back.
    #[doc(alias = "MSG_CTRUNC")]
    Descriptors,
    /// More descriptors came than the receiver had asked for.
    TooMany {
        /// How many it had asked for at most.
        limit: usize,
    },
    /// The end of a datagram: the buffer was too small, and the rest is lost.
    #[doc(alias = "MSG_TRUNC")]
    Data,
    /// What the kernel wrote around the descriptors was not as it is documented.
    Malformed,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptors => {
                f.write_str("the kernel delivered fewer than were sent (is RLIMIT_NOFILE reached?)")
            }
            Self::TooMany { limit } => write!(f, "more than {limit} came"),
            Self::Data => f.write_str("the datagram is longer than the buffer"),
            Self::Malformed => f.write_str("the control messages are malformed"),
        }
    }
}
