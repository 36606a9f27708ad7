use std::fmt;

use super::TxBuf;
use crate::Error;

/// A send that was not queued: the buffer, and why.
///
/// Converts into the crate's [`Error`], dropping the buffer, for `?`.
#[derive(Debug)]
pub struct Rejected {
    /// The buffer, unchanged.
    pub buf: TxBuf,
    /// Why: [`Error::RingFull`], [`Error::UnknownSocket`], [`Error::ForeignBuffer`], or [`Error::System`] if the full
    /// queue could not be handed to the kernel.
    pub error: Error,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "send not queued: {}", self.error)
    }
}

impl std::error::Error for Rejected {}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        rejected.error
    }
}
