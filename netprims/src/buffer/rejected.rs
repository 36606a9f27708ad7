use std::fmt;

use super::TxBuf;
use crate::Error;

/// A send that was refused: the buffer, and why.
///
/// Converts into the crate's [`Error`], dropping the buffer, for `?`.
#[derive(Debug)]
pub struct Rejected {
    /// The buffer, unchanged.
    pub buf: TxBuf,
    /// Why; the method that returns it lists the reasons.
    pub error: Error,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "send refused: {}", self.error)
    }
}

impl std::error::Error for Rejected {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        rejected.error
    }
}
