use std::fmt;
use std::io;

use super::Shortage;
use crate::caller::{Caller, Capability};
use crate::sys::uring::{Refused, answer_to_nothing};
use crate::sysctl::Sysctl;

/// Why there is no io_uring here.
///
/// The kernel answers `EPERM` to a seccomp filter's victim and to a process the administrator shut out alike; which it
/// was is told by looking at both. Where that cannot be looked at, the answer is [`Unclear`](Refusal::Unclear).
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// A seccomp filter, such as the default one of container runtimes: one is installed, and nothing else that could
    /// have given this answer has.
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
    /// The kernel has no io_uring, or one that lacks what the ring needs (Linux 6.0).
    KernelTooOld {
        /// The kernel's answer.
        source: io::Error,
    },
    /// A limit: locked memory, descriptors, or memory itself.
    Limit {
        /// Which, and so what to raise.
        shortage: Shortage,
        /// `ENOMEM`, `EMFILE` or `ENFILE`.
        source: io::Error,
    },
    /// It could be a seccomp filter or `kernel.io_uring_disabled`, and what would tell could not be looked at.
    Unclear {
        /// What could not be looked at.
        unseen: &'static str,
        /// The kernel's answer.
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

    /// Looks at the thread, the sysctls and what the kernel answers to less, to tell who refused.
    pub(super) fn of(refused: Refused) -> Self {
        let sights = Sights {
            caller: Caller::look(),
            disabled: number("kernel.io_uring_disabled"),
            group: number("kernel.io_uring_group"),
            release: Sysctl::new("kernel.osrelease").read().ok().flatten(),
            answer_to_nothing: answer_to_nothing(),
        };
        classify(refused, &sights)
    }

    fn source(&self) -> &io::Error {
        match self {
            Self::Seccomp { source }
            | Self::Disabled { source, .. }
            | Self::KernelTooOld { source }
            | Self::Limit { source, .. }
            | Self::Unclear { source, .. }
            | Self::Other { source } => source,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source())?;
        match self {
            Self::Seccomp { .. } => f.write_str(
                "a seccomp filter is installed, and nothing else found refuses io_uring; allow io_uring_setup, \
                 io_uring_enter and io_uring_register in the container's seccomp profile",
            ),
            Self::Disabled { value, .. } => write!(
                f,
                "kernel.io_uring_disabled is {value}; set it to 0, or to 1 and join the group of kernel.io_uring_group"
            ),
            Self::KernelTooOld { .. } => f.write_str("the kernel's io_uring is missing or too old; it takes Linux 6.0"),
            Self::Limit { shortage, .. } => write!(f, "{shortage}"),
            Self::Unclear { unseen, .. } => {
                write!(
                    f,
                    "seccomp or kernel.io_uring_disabled refuses io_uring; {unseen} would tell, and cannot be seen here"
                )
            }
            Self::Other { .. } => f.write_str("io_uring is refused, by neither seccomp nor kernel.io_uring_disabled"),
        }
    }
}

/// What can be looked at to tell who refused.
struct Sights {
    caller: Caller,
    disabled: Seen,
    group: Seen,
    /// What `uname -r` prints.
    release: Option<String>,
    /// The errno of `io_uring_setup(0, NULL)`.
    answer_to_nothing: Option<i32>,
}

/// A sysctl that is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Value(i64),
    /// The kernel has no such sysctl.
    Absent,
    /// It could not be looked at.
    Not,
}

fn number(name: &'static str) -> Seen {
    match Sysctl::new(name).read() {
        Ok(Some(text)) => text.parse().map_or(Seen::Not, Seen::Value),
        Ok(None) => Seen::Absent,
        Err(_) => Seen::Not,
    }
}

const STATUS: &str = "/proc/thread-self/status";
const DISABLED: &str = "kernel.io_uring_disabled";

fn classify(refused: Refused, sights: &Sights) -> Refusal {
    let Refused { operation, error } = refused;
    let source = error;
    match (operation, source.raw_os_error()) {
        (_, Some(libc::ENOMEM)) => {
            // Unless it can be seen not to be the limit, it most likely is.
            let shortage = match sights.caller.has(Capability::IpcLock) {
                Some(true) => Shortage::Memory,
                _ => Shortage::LockedMemory,
            };
            Refusal::Limit { shortage, source }
        }
        (_, Some(libc::EMFILE)) => {
            let shortage = Shortage::Descriptors;
            Refusal::Limit { shortage, source }
        }
        (_, Some(libc::ENFILE)) => {
            let shortage = Shortage::Files;
            Refusal::Limit { shortage, source }
        }
        (_, Some(libc::EINVAL)) => Refusal::KernelTooOld { source },
        ("io_uring_setup", Some(libc::EPERM)) => shut_out(source, sights),
        ("io_uring_setup", Some(libc::ENOSYS)) => absent(source, sights),
        // The kernel has given a ring, so it has these calls and allows them.
        (_, Some(libc::EPERM | libc::ENOSYS | libc::EACCES))
            if operation != "io_uring_setup" && sights.caller.is_filtered() == Some(true) =>
        {
            Refusal::Seccomp { source }
        }
        _ => Refusal::Other { source },
    }
}

/// Who answered `EPERM`.
fn shut_out(source: io::Error, sights: &Sights) -> Refusal {
    // Filter and sysctl let nobody look at the parameters; whoever refused came after them.
    if sights.answer_to_nothing == Some(libc::EFAULT) {
        return Refusal::Other { source };
    }
    let disabled = match sights.disabled {
        Seen::Value(2..) => Some(2),
        Seen::Value(1) => match is_exempt(sights) {
            Some(false) => Some(1),
            Some(true) => None,
            None => return unless_free(source, sights, 1),
        },
        Seen::Value(_) | Seen::Absent => None,
        Seen::Not => {
            let unseen = DISABLED;
            return Refusal::Unclear { unseen, source };
        }
    };
    match (disabled, sights.caller.is_filtered()) {
        (Some(value), _) => Refusal::Disabled { value, source },
        (None, Some(true)) => Refusal::Seccomp { source },
        (None, Some(false)) => Refusal::Other { source },
        (None, None) => {
            let unseen = STATUS;
            Refusal::Unclear { unseen, source }
        }
    }
}

/// The sysctl, unless a filter may have been faster.
fn unless_free(source: io::Error, sights: &Sights, value: u32) -> Refusal {
    if sights.caller.is_filtered() == Some(false) {
        return Refusal::Disabled { value, source };
    }
    let unseen = "membership in the group of kernel.io_uring_group";
    Refusal::Unclear { unseen, source }
}

/// Whether `kernel.io_uring_disabled` at 1 does not concern the process. Source: `io_uring_allowed` in
/// `io_uring/io_uring.c`.
fn is_exempt(sights: &Sights) -> Option<bool> {
    let member = match sights.group {
        Seen::Value(group) => match u32::try_from(group) {
            Ok(group) => sights.caller.is_in_group(group),
            // -1: no group.
            Err(_) => Some(false),
        },
        Seen::Absent => Some(false),
        Seen::Not => None,
    };
    match (sights.caller.has(Capability::SysAdmin), member) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// Who answered `ENOSYS`.
fn absent(source: io::Error, sights: &Sights) -> Refusal {
    let built_in = matches!(sights.disabled, Seen::Value(_))
        || sights.release.as_deref().is_some_and(has_io_uring);
    match sights.caller.is_filtered() {
        // The kernel has the system call: the answer is the filter's.
        Some(true) if built_in => Refusal::Seccomp { source },
        None if built_in => {
            let unseen = STATUS;
            Refusal::Unclear { unseen, source }
        }
        _ => Refusal::KernelTooOld { source },
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

#[cfg(test)]
mod tests;
