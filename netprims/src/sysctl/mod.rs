//! Sysctls, as the calling thread sees them.
//!
//! What `/proc/sys/net` shows depends on the network namespace of the *thread* that opens the file. In a namespace
//! other than the first some network sysctls are read-only (`net.core.rmem_max` on newer kernels) and some are absent
//! (`net.core.busy_poll`): the value still rules the thread, but it cannot be seen. [`Sysctl::read`] answers `None`
//! for those.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::{Error, Result};

/// One sysctl, by its dotted name.
///
/// ```
/// use netprims::sysctl::Sysctl;
///
/// if let Some(limit) = Sysctl::new("net.core.rmem_max").read()? {
///     println!("a receive buffer is cut at {limit} bytes, then doubled");
/// }
/// # Ok::<(), netprims::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sysctl {
    name: &'static str,
}

impl Sysctl {
    /// Names a sysctl; `.` separates the parts, as in `net.ipv4.tcp_rmem`. Nothing is read yet.
    pub const fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// The dotted name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The value, without the final newline; `None` if the calling thread's network namespace has no such file.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the file is there and cannot be read (`EACCES` without the privilege).
    ///
    /// Source: proc(5), `net/core/sysctl_net_core.c`.
    pub fn read(self) -> Result<Option<String>> {
        match fs::read_to_string(self.path()) {
            Ok(text) => Ok(Some(text.trim_end().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::system("read sysctl", self.name, error)),
        }
    }

    fn path(self) -> PathBuf {
        let mut path = PathBuf::from("/proc/sys");
        path.extend(self.name.split('.'));
        path
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_value_without_its_newline() {
        let value = Sysctl::new("kernel.ostype").read().unwrap();
        assert_eq!(value.as_deref(), Some("Linux"));
    }

    #[test]
    fn an_absent_sysctl_is_no_error() {
        assert_eq!(Sysctl::new("net.core.no_such_thing").read().unwrap(), None);
    }

    #[test]
    fn a_directory_is_an_error_that_names_the_sysctl() {
        let error = Sysctl::new("net.core").read().unwrap_err();
        assert!(error.to_string().contains("net.core"), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
    }
}
