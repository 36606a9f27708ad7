use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;

use crate::hint::Hint;
use crate::selector::{PfId, PfSelector};
use crate::spec::VfAttribute;
use crate::vf::{VfCount, VfIndex};

/// What went wrong: the operation, the object, the kernel's error number where there is one, and
/// what to do about it.
///
/// Prints as one line that says all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value breaks the rule of its type; nothing was read or written.
    #[error("{value:?} is no {what}: {rule}")]
    InvalidValue {
        /// What it was to be.
        what: &'static str,
        /// The value as given.
        value: String,
        /// The rule it breaks.
        rule: &'static str,
    },

    /// No device answers to the selector.
    #[error("find PF {selector}: no such device on this host (or in this network namespace)")]
    NotFound {
        /// The selector.
        selector: PfSelector,
    },

    /// Several PFs answer to the selector.
    #[error(
        "find PF {selector}: it fits {}; name one by its bus address",
        list(candidates)
    )]
    Ambiguous {
        /// The selector.
        selector: PfSelector,
        /// The PFs it fits.
        candidates: Vec<PfId>,
    },

    /// The device exists and cannot have VFs.
    #[error("find PF {device}: {reason}")]
    NotAPf {
        /// The device, by the name it was asked for.
        device: String,
        /// Why it is no PF.
        reason: NotAPf,
    },

    /// The device has fewer VFs than were asked for; nothing was written.
    #[error("create {wanted} VFs on {pf}: the device has at most {total} (sriov_totalvfs)")]
    TooManyVfs {
        /// The PF.
        pf: PfId,
        /// How many were asked for.
        wanted: VfCount,
        /// How many the device can have.
        total: u16,
    },

    /// The PF has VFs already; nothing was written.
    ///
    /// Their number can be changed only by destroying them all, with whatever uses them.
    #[error(
        "create {wanted} VFs on {pf}: it has {existing} already, and nothing was touched; another \
         number would mean destroying those first"
    )]
    VfsExist {
        /// The PF.
        pf: PfId,
        /// How many were asked for.
        wanted: VfCount,
        /// How many there are.
        existing: u16,
    },

    /// The kernel reported success and made another number of VFs than was asked for.
    ///
    /// What was made is left in place.
    #[error(
        "create {wanted} VFs on {pf}: the kernel reported success and there are {created}{}",
        and(hint.as_ref())
    )]
    VfsMissing {
        /// The PF.
        pf: PfId,
        /// How many were asked for.
        wanted: VfCount,
        /// How many there are now.
        created: u16,
        /// What may stand behind it.
        hint: Option<Hint>,
    },

    /// The PF has no VF of that number; nothing was written.
    #[error("configure VF {vf} of {pf}: it has {}", vfs(*existing))]
    NoSuchVf {
        /// The PF.
        pf: PfId,
        /// The VF asked for.
        vf: VfIndex,
        /// How many VFs there are.
        existing: u16,
    },

    /// The PF has no network device in this namespace, and VFs are configured through that.
    #[error(
        "{operation} on {pf}: it has no network device in this network namespace (no driver bound, \
         not a network adapter, or moved to another namespace)"
    )]
    NoNetdev {
        /// What was to be done.
        operation: Operation,
        /// The PF.
        pf: PfId,
    },

    /// The kernel reported success and the attribute has another value.
    #[error("set {wanted} of VF {vf} on {pf}: the kernel reported success and shows {reported}{}", and(hint.as_ref()))]
    NotApplied {
        /// The PF.
        pf: PfId,
        /// The VF.
        vf: VfIndex,
        /// What was to be set.
        wanted: VfAttribute,
        /// What the kernel shows instead.
        reported: String,
        /// What may stand behind it.
        hint: Option<Hint>,
    },

    /// The kernel refused an attribute of a VF. Those before it in the same call are set.
    #[error("set {attribute} of VF {vf} on {pf}: {refusal}")]
    Refused {
        /// The PF.
        pf: PfId,
        /// The VF.
        vf: VfIndex,
        /// What was to be set.
        attribute: VfAttribute,
        /// The kernel's answer.
        refusal: Refusal,
    },

    /// The kernel refused a request about a network device.
    #[error("{operation}{}: {refusal}", on(pf.as_ref()))]
    Netlink {
        /// What was to be done.
        operation: Operation,
        /// The PF, if it was about one.
        pf: Option<PfId>,
        /// The kernel's answer.
        refusal: Refusal,
    },

    /// Reading or writing a file of sysfs failed.
    #[error("{operation}: {}: {}{}", path.display(), describe(source), and(hint.as_ref()))]
    Sysfs {
        /// What was to be done.
        operation: Operation,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What may stand behind it.
        hint: Option<Hint>,
    },

    /// The netlink socket failed.
    #[error("{operation}: netlink socket: {}", describe(source))]
    Socket {
        /// What was to be done.
        operation: Operation,
        /// What the system said.
        source: io::Error,
    },

    /// The kernel's answer over netlink makes no sense to this crate, or never held still.
    #[error("{operation}: the kernel's netlink answer cannot be used: {problem}")]
    Answer {
        /// What was to be done.
        operation: Operation,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A file of sysfs says what makes no sense to this crate.
    #[error("{operation}: {object} says {value:?}, which is no {expected}")]
    Malformed {
        /// What was to be done.
        operation: Operation,
        /// The file.
        object: String,
        /// What it says.
        value: String,
        /// What it should be.
        expected: &'static str,
    },

    /// What was waited for did not come in time.
    #[error("{operation} on {pf}: {waiting_for} did not come within {after:?}{}", and(hint.as_ref()))]
    Timeout {
        /// What was to be done.
        operation: Operation,
        /// The PF.
        pf: PfId,
        /// What was waited for.
        waiting_for: String,
        /// How long.
        after: Duration,
        /// What may stand behind it.
        hint: Option<Hint>,
    },
}

impl Error {
    /// The kernel's error number (as in `errno(3)`), where the error has one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Sysfs { source, .. } | Self::Socket { source, .. } => source.raw_os_error(),
            Self::Refused { refusal, .. } | Self::Netlink { refusal, .. } => Some(refusal.errno),
            _ => None,
        }
    }

    /// What most likely stands behind the error, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::VfsMissing { hint, .. }
            | Self::NotApplied { hint, .. }
            | Self::Sysfs { hint, .. }
            | Self::Timeout { hint, .. } => *hint,
            Self::Refused { refusal, .. } | Self::Netlink { refusal, .. } => refusal.hint,
            _ => None,
        }
    }
}

/// What the crate was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening the host: sysfs and a netlink socket.
    OpenHost,
    /// Looking for PFs.
    FindPfs,
    /// Reading the state of a PF.
    ReadPf,
    /// Reading the VFs of a PF.
    ReadVfs,
    /// Creating VFs.
    CreateVfs,
    /// Configuring VFs.
    ConfigureVfs,
    /// Setting the PF's network device up.
    BringUp,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenHost => "open the host",
            Self::FindPfs => "find PFs",
            Self::ReadPf => "read the PF's state",
            Self::ReadVfs => "read the VFs' state",
            Self::CreateVfs => "create VFs",
            Self::ConfigureVfs => "configure VFs",
            Self::BringUp => "bring the PF's network device up",
        })
    }
}

/// Why a device is no PF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotAPf {
    /// A PCI function without the SR-IOV capability, or with none of its VFs enabled in firmware.
    NoCapability,
    /// It is itself a VF of this PF.
    IsVfOf(PfId),
    /// A network device that belongs to no device on PCI or netdevsim.
    Virtual,
}

impl fmt::Display for NotAPf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCapability => f.write_str(
                "it offers no VFs (no SR-IOV capability, or switched off in the firmware setup or \
                 the adapter's own configuration)",
            ),
            Self::IsVfOf(pf) => write!(f, "it is itself a VF, of {pf}"),
            Self::Virtual => f.write_str("it is not a device that can have VFs"),
        }
    }
}

/// How the kernel refused a request over netlink.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The error number (as in `errno(3)`).
    pub errno: i32,
    /// The kernel's own words, where it had any (extended acknowledgement, Linux 4.12).
    #[doc(alias = "NLMSGERR_ATTR_MSG")]
    pub message: Option<String>,
    /// What may stand behind it.
    pub hint: Option<Hint>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe_errno(self.errno))?;
        if let Some(message) = &self.message {
            write!(f, ", kernel: {message:?}")?;
        }
        f.write_str(&and(self.hint.as_ref()))
    }
}

fn describe(error: &io::Error) -> String {
    error
        .raw_os_error()
        .map_or_else(|| error.to_string(), describe_errno)
}

fn describe_errno(errno: i32) -> String {
    match Errno::from_raw(errno) {
        Errno::UnknownErrno => format!("error {errno}"),
        known => format!("{known:?} ({})", known.desc()),
    }
}

fn and(hint: Option<&Hint>) -> String {
    hint.map(|hint| format!("; {hint}")).unwrap_or_default()
}

fn on(pf: Option<&PfId>) -> String {
    pf.map(|pf| format!(" on {pf}")).unwrap_or_default()
}

fn vfs(count: u16) -> String {
    match count {
        0 => "no VFs".to_owned(),
        1 => "only VF 0".to_owned(),
        n => format!("only VFs 0 to {}", n - 1),
    }
}

fn list(candidates: &[PfId]) -> String {
    let names: Vec<_> = candidates.iter().map(PfId::to_string).collect();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_operation_object_errno_and_what_to_do_in_one_line() {
        let error = Error::Sysfs {
            operation: Operation::CreateVfs,
            path: "/sys/bus/pci/devices/0000:01:00.0/sriov_numvfs".into(),
            source: io::Error::from_raw_os_error(28),
            hint: Hint::for_creation(PfId::Netdevsim(1), Errno::ENOSPC),
        };
        let text = error.to_string();
        for part in [
            "create VFs",
            "0000:01:00.0/sriov_numvfs",
            "ENOSPC",
            "fewer VFs",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(error.errno(), Some(28));
        assert_eq!(error.hint(), Some(Hint::MsixExhausted));
        assert!(!text.contains('\n'));
    }

    #[test]
    fn quotes_the_kernel_and_shows_unknown_numbers_as_numbers() {
        let refusal = Refusal {
            errno: 4242,
            message: Some("no \"such\" thing\n".into()),
            hint: None,
        };
        assert_eq!(
            refusal.to_string(),
            r#"error 4242, kernel: "no \"such\" thing\n""#
        );
    }

    #[test]
    fn is_send_and_small_enough_to_return_by_value() {
        fn send<T: Send + Sync>() {}
        send::<Error>();
        assert!(size_of::<Error>() <= 128, "{}", size_of::<Error>());
    }
}
