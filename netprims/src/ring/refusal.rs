use std::fmt;
use std::fs;
use std::io;

use crate::sysctl::Sysctl;

/// Why there is no io_uring here.
///
/// The kernel answers `EPERM` to a seccomp filter's victim and to a process the administrator shut out alike; which it
/// was is told by looking at both.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// A seccomp filter, such as the default one of container runtimes.
    Seccomp {
        /// What the filter answers: `EPERM` or `ENOSYS`.
        source: io::Error,
    },
    /// The sysctl `kernel.io_uring_disabled`.
    Disabled {
        /// Its value: 1 shuts out all but CAP_SYS_ADMIN and the group of `kernel.io_uring_group`, 2 everyone.
        value: u32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel has no io_uring, or one that lacks what the ring needs (Linux 5.19).
    KernelTooOld {
        /// The kernel's answer.
        source: io::Error,
    },
    /// A limit: locked memory, descriptors, or memory itself.
    Limit {
        /// `ENOMEM`, `EMFILE` or `ENFILE`.
        source: io::Error,
    },
    /// Something else, such as a security module.
    Other {
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Refusal {
    /// The kernel's errno.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source().raw_os_error()
    }

    /// Looks at the thread and the sysctl to tell who refused.
    pub(super) fn of(source: io::Error) -> Self {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let disabled = Sysctl::new("kernel.io_uring_disabled")
            .read()
            .ok()
            .flatten();
        let release = Sysctl::new("kernel.osrelease")
            .read()
            .ok()
            .flatten()
            .unwrap_or_default();
        classify(source, &status, disabled.as_deref(), &release)
    }

    fn source(&self) -> &io::Error {
        match self {
            Self::Seccomp { source }
            | Self::Disabled { source, .. }
            | Self::KernelTooOld { source }
            | Self::Limit { source }
            | Self::Other { source } => source,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source())?;
        match self {
            Self::Seccomp { .. } => f.write_str(
                "a seccomp filter refuses io_uring; allow io_uring_setup, io_uring_enter and io_uring_register in the \
                 container's seccomp profile",
            ),
            Self::Disabled { value, .. } => write!(
                f,
                "kernel.io_uring_disabled is {value}; set it to 0, or to 1 and join the group of kernel.io_uring_group"
            ),
            Self::KernelTooOld { .. } => f.write_str("the kernel's io_uring is missing or too old; it takes Linux 5.19"),
            Self::Limit { .. } => f.write_str("raise RLIMIT_MEMLOCK or RLIMIT_NOFILE, or ask for fewer entries"),
            Self::Other { .. } => f.write_str("io_uring is refused, by neither seccomp nor kernel.io_uring_disabled"),
        }
    }
}

/// `status` is the thread's `/proc` file, `disabled` the sysctl, `release` what `uname -r` prints.
fn classify(source: io::Error, status: &str, disabled: Option<&str>, release: &str) -> Refusal {
    let filtered = field(status, "Seccomp:") == Some("2");
    let value = disabled.and_then(|value| value.parse().ok()).unwrap_or(0);
    match source.raw_os_error() {
        Some(libc::EPERM) if value == 2 || (value == 1 && !has_sys_admin(status)) => {
            Refusal::Disabled { value, source }
        }
        Some(libc::EPERM) if filtered => Refusal::Seccomp { source },
        // The kernel has the system call: the answer is the filter's.
        Some(libc::ENOSYS) if filtered && (disabled.is_some() || has_io_uring(release)) => {
            Refusal::Seccomp { source }
        }
        Some(libc::ENOSYS | libc::EINVAL) => Refusal::KernelTooOld { source },
        Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE) => Refusal::Limit { source },
        _ => Refusal::Other { source },
    }
}

/// From Linux 6.6 on the sysctl tells whether io_uring is built in. Before, every kernel since 5.1 is taken to have it.
fn has_io_uring(release: &str) -> bool {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => ((5, 1)..(6, 6)).contains(&(major, minor)),
        _ => false,
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

fn has_sys_admin(status: &str) -> bool {
    /// `CAP_SYS_ADMIN` in `include/uapi/linux/capability.h`.
    const SYS_ADMIN: u32 = 21;
    let effective = field(status, "CapEff:").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    effective.is_some_and(|set| set >> SYS_ADMIN & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const FREE: &str = "Name:\tx\nCapEff:\t0000000000000000\nSeccomp:\t0\n";
    const FILTERED: &str =
        "Name:\tx\nCapEff:\t0000000000000000\nSeccomp:\t2\nSeccomp_filters:\t1\n";
    const ADMIN: &str = "CapEff:\t000001ffffffffff\nSeccomp:\t0\n";
    const FILTERED_ADMIN: &str = "CapEff:\t000001ffffffffff\nSeccomp:\t2\n";

    #[rstest]
    #[case::filter(libc::EPERM, FILTERED, Some("0"), "6.18.0", "Seccomp")]
    #[case::filter_on_an_older_kernel(libc::EPERM, FILTERED, None, "6.18.0", "Seccomp")]
    #[case::filter_that_plays_absent(libc::ENOSYS, FILTERED, Some("0"), "6.18.0", "Seccomp")]
    #[case::the_same_on_an_older_kernel(libc::ENOSYS, FILTERED, None, "6.1.0-50-amd64", "Seccomp")]
    #[case::filter_and_no_io_uring(libc::ENOSYS, FILTERED, None, "6.6.1", "KernelTooOld")]
    #[case::filter_and_an_old_kernel(libc::ENOSYS, FILTERED, None, "5.0.21", "KernelTooOld")]
    #[case::filter_and_a_strange_release(libc::ENOSYS, FILTERED, None, "mine", "KernelTooOld")]
    #[case::disabled_for_all(libc::EPERM, FREE, Some("2"), "6.18.0", "Disabled")]
    #[case::disabled_for_root_too(libc::EPERM, ADMIN, Some("2"), "6.18.0", "Disabled")]
    #[case::disabled_for_most(libc::EPERM, FREE, Some("1"), "6.18.0", "Disabled")]
    #[case::disabled_for_others_but_filtered(
        libc::EPERM,
        FILTERED_ADMIN,
        Some("1"),
        "6.18.0",
        "Seccomp"
    )]
    #[case::security_module(libc::EPERM, FREE, Some("0"), "6.18.0", "Other")]
    #[case::no_system_call(libc::ENOSYS, FREE, None, "6.18.0", "KernelTooOld")]
    #[case::unknown_flags(libc::EINVAL, FREE, None, "6.18.0", "KernelTooOld")]
    #[case::memlock(libc::ENOMEM, FREE, Some("0"), "6.18.0", "Limit")]
    #[case::descriptors(libc::EMFILE, FREE, Some("0"), "6.18.0", "Limit")]
    #[case::no_status(libc::EPERM, "", None, "6.18.0", "Other")]
    #[case::surprise(libc::EIO, FREE, Some("0"), "6.18.0", "Other")]
    fn tells_who_refused(
        #[case] errno: i32,
        #[case] status: &str,
        #[case] disabled: Option<&str>,
        #[case] release: &str,
        #[case] want: &str,
    ) {
        let refusal = classify(
            io::Error::from_raw_os_error(errno),
            status,
            disabled,
            release,
        );
        assert_eq!(format!("{refusal:?}").split(' ').next(), Some(want));
        assert_eq!(refusal.raw_os_error(), Some(errno));
    }
}
