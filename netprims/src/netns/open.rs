use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::NetNs;
use crate::sys::namespace::is_network;
use crate::{Error, Result};

impl NetNs {
    /// The calling *thread's*.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOENT` if `/proc` is not mounted, `EMFILE`, `ENFILE`.
    ///
    /// Source: namespaces(7).
    pub fn current() -> Result<Self> {
        Self::open("/proc/thread-self/ns/net")
    }

    /// One that `ip netns add NAME` has made: `/run/netns/NAME`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: the name is empty, `.` or `..`, or has a `/` or NUL. Nothing was opened.
    /// - those of [`open`](Self::open): `ENOENT` if there is none by that name.
    ///
    /// Source: ip-netns(8).
    pub fn by_name(name: &str) -> Result<Self> {
        if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
            return Err(Error::InvalidValue {
                option: "network namespace",
                value: format!("{name:?}"),
                reason: "a name is a file in /run/netns",
            });
        }
        Self::open(Path::new("/run/netns").join(name))
    }

    /// That of a process's first thread.
    ///
    /// The process may have ended, and its number been given to another: check with a
    /// [`PidFd`](crate::fd::PidFd) opened before, whose process has not ended after.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: the number is 0.
    /// - those of [`open`](Self::open): `ENOENT` if there is no such process, `EACCES` without the right to trace it
    ///   (`PTRACE_MODE_READ`).
    pub fn of_process(pid: u32) -> Result<Self> {
        if pid == 0 {
            return Err(Error::InvalidValue {
                option: "pid",
                value: pid.to_string(),
                reason: "a process has a number from 1",
            });
        }
        Self::open(format!("/proc/{pid}/ns/net"))
    }

    /// One that is mounted or shown at a path.
    ///
    /// # Errors
    ///
    /// - [`Error::System`] naming the path: `ENOENT`, `EACCES`, `EMFILE`, `ENFILE`; `ENOTTY` if it is something else than
    ///   a namespace (of `ip netns`'s files: one left over after its mount was lost), `EINVAL` if it is another kind of
    ///   namespace.
    ///
    /// Source: NS_GET_NSTYPE in ioctl_nsfs(2), Linux 4.11.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |error| Error::system("open network namespace", path.display(), error);
        // What is no namespace is not to block here, nor to become the controlling terminal.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(flags).open(path);
        // std opens with O_CLOEXEC.
        let fd = OwnedFd::from(file.map_err(failed)?);
        match is_network(&fd) {
            Ok(true) => Ok(Self { fd }),
            Ok(false) => Err(failed(io::Error::from_raw_os_error(libc::EINVAL))),
            Err(error) => Err(failed(error)),
        }
    }

    /// A new one, with a loopback device that is down and nothing else. It is gone when this is closed and nothing else
    /// holds it.
    ///
    /// Needs CAP_SYS_ADMIN in the thread's user namespace.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` without the privilege, `ENOSPC` past `user.max_net_namespaces`, `EAGAIN` if no thread
    /// can be started.
    ///
    /// Source: CLONE_NEWNET in unshare(2).
    #[doc(alias = "unshare")]
    pub fn fresh() -> Result<Self> {
        super::run::on_a_thread(|| {
            super::run::unshare()?;
            Self::current()
        })?
    }
}
