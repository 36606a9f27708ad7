//! An error number as the C library hands it over.

use std::ffi::c_int;
use std::{fmt, io};

/// A positive `errno`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(c_int);

impl Errno {
    pub(crate) const fn new(number: c_int) -> Self {
        Errno(number)
    }

    /// What `errno` of this thread says; EIO when a function failed and did not set it.
    pub(crate) fn last() -> Self {
        let number = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        Errno(if number == 0 { libc::EIO } else { number })
    }

    /// What a non-zero return value says: verbs return an error number, some providers its
    /// negative, and a few return -1 and set `errno`.
    pub(crate) fn from_return(value: c_int) -> Self {
        match value {
            -1 => Errno::last(),
            _ => Errno(value.checked_abs().unwrap_or(libc::EIO)),
        }
    }

    pub(crate) const fn number(self) -> c_int {
        self.0
    }

    pub(crate) fn into_io(self) -> io::Error {
        io::Error::from_raw_os_error(self.0)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errno({}: {})", self.0, self.into_io())
    }
}

/// `Ok` for zero.
pub(crate) fn check(value: c_int) -> Result<(), Errno> {
    match value {
        0 => Ok(()),
        _ => Err(Errno::from_return(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_returns_are_the_same_error() {
        assert_eq!(check(0), Ok(()));
        assert_eq!(check(libc::EINVAL), Err(Errno::new(libc::EINVAL)));
        assert_eq!(check(-libc::ENOMEM), Err(Errno::new(libc::ENOMEM)));
        assert_eq!(check(c_int::MIN), Err(Errno::new(libc::EIO)));
    }

    #[test]
    fn a_failure_without_an_error_number_is_an_input_output_error() {
        nix::errno::Errno::clear();
        assert_eq!(check(-1), Err(Errno::new(libc::EIO)));
    }
}
