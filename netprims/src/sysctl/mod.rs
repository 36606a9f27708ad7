//! Sysctls, as the calling thread sees them.
//!
//! What `/proc/sys/net` shows depends on the network namespace of the *thread* that opens the file. In a namespace
//! other than the first some network sysctls are read-only (`net.core.rmem_max` on newer kernels) and some are absent
//! (`net.core.busy_poll`): the value still rules the thread, but it cannot be seen. [`Sysctl::read`] answers `None`
//! for those, and [`Sysctl::scope`] tells them apart by looking into a fresh namespace.
//!
//! [`KNOWN`] are the network sysctls this crate names, in reports or documentation.

mod known;
mod scope;

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use known::KNOWN;
pub use scope::{Scope, scopes};

use crate::fd::retry;
use crate::{Error, Result};

/// One sysctl, by its name.
///
/// ```
/// use netprims::sysctl::Sysctl;
///
/// if let Some(limit) = Sysctl::new("net.core.rmem_max").read()? {
///     println!("a receive buffer is cut at {limit} bytes, then doubled");
/// }
/// let interface = "lo";
/// let filter = Sysctl::from(format!("net/ipv4/conf/{interface}/rp_filter"));
/// println!("{filter} is {:?}", filter.read()?);
/// # Ok::<(), netprims::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sysctl {
    name: Cow<'static, str>,
}

impl Sysctl {
    /// Names a sysctl as sysctl(8) does: `.` separates the parts, as in `net.ipv4.tcp_rmem`, or `/` does, whichever
    /// comes first. The other of the two may then be part of a part, such as of an interface's name:
    /// `net/ipv4/conf/eth0.100/forwarding`, `net.ipv4.conf.eth0/100.forwarding`. Nothing is read yet.
    ///
    /// A name that is only known at run time: `Sysctl::from(String)`.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
        }
    }

    /// The name, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, without the final newline; `None` if there is no such sysctl, or the calling thread's network
    /// namespace does not show it.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: the name has an empty part, `.` or `..`. No file is read.
    /// - [`Error::System`]: the file is there and cannot be read (`EACCES` without the privilege), or `/proc` is not
    ///   mounted (`ENOENT`).
    ///
    /// Source: proc(5), `net/core/sysctl_net_core.c`.
    pub fn read(&self) -> Result<Option<String>> {
        let path = self.checked_path()?;
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text.trim_end().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && has_proc() => Ok(None),
            Err(error) => Err(Error::system("read sysctl", &self.name, error)),
        }
    }

    /// Sets the value, which may be several words, as sysctl(8) does. Takes effect for the calling thread's network
    /// namespace, or for the system: see [`scope`](Self::scope).
    ///
    /// The kernel parses what it is given and may keep something else (rounded, or words apart by tabs): read it back where
    /// that matters. Of a sysctl that is several numbers, such as `net.ipv4.tcp_rmem`, it sets the words it is given, one
    /// after the other: fewer than there are set the first and leave the others, without an error.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: the value is empty or has a NUL or a line break, or the name is one that
    ///   [`read`](Self::read) refuses. Nothing was changed.
    /// - [`Error::System`]: `EINVAL` for a value the kernel does not take, `ENOENT` if there is no such sysctl here, or if
    ///   the value names something the kernel does not have, such as a congestion control algorithm, `EACCES` if it is
    ///   read-only here or without the privilege: CAP_NET_ADMIN in the user namespace that owns the network namespace for
    ///   most of `net`, root for the rest. If the value is one word, nothing was changed. Of several, those before the one
    ///   that the kernel refused may be in effect: the error then says what is, now.
    /// - [`Error::System`] with `InvalidData`: the kernel took the beginning of the value and left the rest. The beginning
    ///   is in effect.
    ///
    /// Source: proc(5), `kernel/sysctl.c`.
    pub fn write(&self, value: impl fmt::Display) -> Result<()> {
        let path = self.checked_path()?;
        let value = value.to_string();
        if value.is_empty() || value.contains(['\0', '\n']) {
            return Err(Error::InvalidValue {
                option: "sysctl value",
                value: format!("{value:?}"),
                reason: "a value is one line that is not empty",
            });
        }
        let mut file = OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(|error| not_written(&self.name, error, UNKNOWN_HERE))?;
        let line = value + "\n";
        // In one call: the kernel takes each for a value of its own, and ignores what does not begin at the start.
        let taken = retry(|| file.write(line.as_bytes())).map_err(|error| {
            let object = self.and_what_is_in_effect(&line);
            not_written(object, error, UNKNOWN_VALUE)
        })?;
        if taken < line.len() {
            let reason = format!("the kernel took only {:?}", &line[..floor(&line, taken)]);
            let error = io::Error::new(io::ErrorKind::InvalidData, reason);
            return Err(Error::system("write sysctl", &self.name, error));
        }
        Ok(())
    }

    /// The name, and of a refused value whose first words may have been taken, what is in effect.
    fn and_what_is_in_effect(&self, refused: &str) -> String {
        let name = &self.name;
        if refused.split_whitespace().nth(1).is_none() {
            return name.to_string();
        }
        match self.read() {
            Ok(Some(now)) => {
                let words: Vec<_> = now.split_whitespace().collect();
                format!("{name}, which is {:?} now", words.join(" "))
            }
            _ => format!("{name}, which may have changed in part"),
        }
    }

    fn checked_path(&self) -> Result<PathBuf> {
        self.path().ok_or_else(|| Error::InvalidValue {
            option: "sysctl",
            value: self.name.clone().into_owned(),
            reason: "a name has parts, separated by '.' or '/', and none is empty, '.' or '..'",
        })
    }

    /// The file; `None` if the name would lead out of `/proc/sys`.
    fn path(&self) -> Option<PathBuf> {
        let separator = self.name.chars().find(|c| matches!(c, '.' | '/'));
        let separator = separator.unwrap_or('.');
        let mut path = PathBuf::from("/proc/sys");
        for part in self.name.split(separator) {
            let part = part.replace('/', ".");
            if matches!(part.as_str(), "" | "." | "..") {
                return None;
            }
            path.push(part);
        }
        Some(path)
    }
}

const UNKNOWN_HERE: &str = "not in this network namespace, or not in this kernel";
const UNKNOWN_VALUE: &str =
    "the kernel has nothing of the value's name: there is none, or its module is not loaded";

/// Why writing failed; `unknown` is what `ENOENT` means.
fn not_written(object: impl ToString, error: io::Error, unknown: &'static str) -> Error {
    let advice = match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            "it is read-only in this network namespace, or needs CAP_NET_ADMIN"
        }
        Some(libc::ENOENT) => unknown,
        _ => return Error::system("write sysctl", object, error),
    };
    Error::advised("write sysctl", object, error, advice)
}

/// The last boundary of a character at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    let boundary = (0..=at).rev().find(|at| text.is_char_boundary(*at));
    boundary.unwrap_or_default()
}

/// Whether an absent file means an absent sysctl.
fn has_proc() -> bool {
    Path::new("/proc/sys/kernel").exists()
}

impl From<String> for Sysctl {
    fn from(name: String) -> Self {
        Self {
            name: Cow::Owned(name),
        }
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/etc/passwd")]
    #[case("../../etc/passwd")]
    #[case("kernel/../../../etc/passwd")]
    #[case("kernel.//.ostype")]
    #[case("kernel./.ostype")]
    #[case("kernel..ostype")]
    #[case("kernel/")]
    #[case("")]
    fn a_name_that_leads_elsewhere_is_refused(#[case] name: &'static str) {
        let error = Sysctl::new(name).read().unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
    }

    #[rstest]
    #[case("net.ipv4.tcp_rmem", "/proc/sys/net/ipv4/tcp_rmem")]
    #[case("net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_rmem")]
    #[case("net/ipv4/conf/eth0.100/arp", "/proc/sys/net/ipv4/conf/eth0.100/arp")]
    #[case("net.ipv4.conf.eth0/100.arp", "/proc/sys/net/ipv4/conf/eth0.100/arp")]
    fn the_first_separator_is_the_one(#[case] name: &str, #[case] path: &str) {
        let sysctl = Sysctl::from(name.to_owned());
        assert_eq!(sysctl.path(), Some(PathBuf::from(path)));
        assert_eq!(sysctl.to_string(), name);
    }

    #[test]
    fn reads_a_value_without_its_newline() {
        let value = Sysctl::new("kernel.ostype").read().unwrap();
        assert_eq!(value.as_deref(), Some("Linux"));
    }

    #[rstest]
    #[case("")]
    #[case("1\n2")]
    #[case("1\0")]
    fn a_value_that_is_not_one_line_is_refused(#[case] value: &str) {
        let error = Sysctl::new("kernel.no_such_thing")
            .write(value)
            .unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_not_written() {
        let error = Sysctl::new("../../tmp/x").write(1).unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
    }

    #[test]
    fn text_is_cut_between_characters() {
        let cuts: Vec<_> = (0..=9).map(|at| floor("aä€z", at)).collect();
        assert_eq!(cuts, [0, 1, 1, 3, 3, 3, 6, 7, 7, 7]);
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
