use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;

use super::{Sysctl, has_proc};
use crate::netns::NetNs;
use crate::{Error, Result};

/// Whose a sysctl is.
///
/// | sysctl (7.2) | scope |
/// |---|---|
/// | `net.core.somaxconn`, `net.ipv4.tcp_rmem` | [`Namespace`](Self::Namespace) |
/// | `net.core.rmem_max`, `net.ipv4.tcp_allowed_congestion_control` | [`ReadOnlyInChildren`](Self::ReadOnlyInChildren) |
/// | `net.core.busy_poll`, `net.core.netdev_max_backlog` | [`FirstNamespace`](Self::FirstNamespace) |
///
/// It differs between kernels: hence it is looked up and not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Each network namespace has its own, and may set it.
    Namespace,
    /// There is one for the system. Other network namespaces than the first show it and cannot set it.
    ReadOnlyInChildren,
    /// There is one for the system, and only the first network namespace (or, for what is not of the network, everybody)
    /// shows it. Where it is not shown, it is in force all the same.
    FirstNamespace,
}

impl Sysctl {
    /// Whose it is, on the running kernel: [`scopes`] of this one.
    ///
    /// # Errors
    ///
    /// Those of [`scopes`].
    pub fn scope(&self) -> Result<Option<Scope>> {
        let scopes = scopes(std::slice::from_ref(self))?;
        Ok(scopes.into_iter().next().flatten())
    }
}

/// Whose each of these network sysctls is, on the running kernel, in their order; `None` for one that neither the calling
/// thread's network namespace nor a fresh one shows.
///
/// Found by looking: a fresh namespace is made on a thread of its own, and whether the sysctl is there and may be set is
/// compared with what the caller's namespace shows. Nothing is written. To tell [`Scope::FirstNamespace`] from an unknown
/// sysctl, the caller must be in the first.
///
/// Needs CAP_SYS_ADMIN in the thread's user namespace. A fresh namespace costs some milliseconds: ask for all at once.
///
/// # Errors
///
/// - [`Error::InvalidValue`]: a name that [`read`](Sysctl::read) refuses, or one that is not below `net`. Nothing was
///   looked at.
/// - [`Error::System`]: `EPERM` without the privilege, `ENOENT` without `/proc`, and those of
///   [`NetNs::fresh`](NetNs::fresh).
///
/// Source: `net/sysctl_net.c`, `net/core/sysctl_net_core.c`, `net/ipv4/sysctl_net_ipv4.c`.
pub fn scopes(sysctls: &[Sysctl]) -> Result<Vec<Option<Scope>>> {
    for sysctl in sysctls {
        if !sysctl.checked_path()?.starts_with("/proc/sys/net") {
            return Err(Error::InvalidValue {
                option: "sysctl",
                value: sysctl.name().to_owned(),
                reason: "only those below net have the scope of a network namespace",
            });
        }
    }
    let look = || sysctls.iter().map(look).collect::<Result<Vec<_>>>();
    let here = look()?;
    let there = NetNs::fresh()?.run(look)??;
    Ok(here
        .into_iter()
        .zip(there)
        .map(|(here, there)| decide(here, there))
        .collect())
}

/// How the calling thread's namespace shows a sysctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Absent,
    /// Nobody may write to it.
    ReadOnly,
    Writable,
}

fn look(sysctl: &Sysctl) -> Result<Shown> {
    let failed = |error| Error::system("stat sysctl", sysctl, error);
    match fs::metadata(sysctl.checked_path()?) {
        Ok(file) if file.is_dir() => Err(failed(io::Error::from_raw_os_error(libc::EISDIR))),
        Ok(file) if file.permissions().mode() & 0o222 != 0 => Ok(Shown::Writable),
        Ok(_) => Ok(Shown::ReadOnly),
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_proc() => Ok(Shown::Absent),
        Err(error) => Err(failed(error)),
    }
}

/// From what the caller's namespace shows and a fresh one shows.
fn decide(here: Shown, there: Shown) -> Option<Scope> {
    match (here, there) {
        (Shown::Absent, Shown::Absent) => None,
        (_, Shown::Absent) => Some(Scope::FirstNamespace),
        // The kernel lets a child write what is its own, and takes the right away from what is not.
        (_, Shown::Writable) => Some(Scope::Namespace),
        (_, Shown::ReadOnly) => Some(Scope::ReadOnlyInChildren),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Shown::Absent, Shown::Absent, None)]
    #[case(Shown::Writable, Shown::Absent, Some(Scope::FirstNamespace))]
    #[case(Shown::ReadOnly, Shown::Absent, Some(Scope::FirstNamespace))]
    #[case(Shown::Writable, Shown::ReadOnly, Some(Scope::ReadOnlyInChildren))]
    #[case(Shown::ReadOnly, Shown::ReadOnly, Some(Scope::ReadOnlyInChildren))]
    #[case(Shown::Writable, Shown::Writable, Some(Scope::Namespace))]
    #[case(Shown::Absent, Shown::Writable, Some(Scope::Namespace))]
    fn the_scope_follows_from_what_is_shown(
        #[case] here: Shown,
        #[case] there: Shown,
        #[case] want: Option<Scope>,
    ) {
        assert_eq!(decide(here, there), want);
    }

    #[test]
    fn a_directory_has_none() {
        let error = Sysctl::new("net.core").scope().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR), "{error}");
    }

    #[rstest]
    #[case("kernel.ostype")]
    #[case("net.core/../../kernel")]
    #[case("..")]
    fn what_is_not_of_the_network_is_refused(#[case] name: &'static str) {
        let error = Sysctl::new(name).scope().unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
    }
}
