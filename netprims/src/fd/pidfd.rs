use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::ExitStatus;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{owned_fd, retry};
use crate::sys::pidfd as sys;
use crate::{Error, Result};

/// A process that cannot be mistaken for another: its number may be given to a new process, this stays with the old one.
///
/// It is readable once the process has ended, so it can be waited for among other descriptors.
///
/// ```
/// use std::process::Command;
/// use netprims::fd::PidFd;
///
/// let child = Command::new("sleep").arg("1000").spawn()?;
/// let process = PidFd::open(child.id())?;
/// process.send_signal(15)?;
/// let status = process.wait()?;
/// assert!(!status.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PidFd {
    fd: OwnedFd,
}

impl PidFd {
    /// Opens a process by its number in this process's PID namespace, close-on-exec. Linux 5.3.
    ///
    /// Certain for this process itself, and for a child that nobody has waited for yet. Any other process may have
    /// ended, and its number been given to another, before this call: check what it is afterwards.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: the number is 0 or above 2³¹−1.
    /// - [`Error::System`]: `ESRCH` if there is no such process, `EINVAL` (Linux 6.9 and newer: `ENOENT`) for a thread
    ///   that is not its process's first, `EMFILE`, `ENFILE`, `ENOMEM`.
    ///
    /// Source: pidfd_open(2).
    #[doc(alias = "pidfd_open")]
    pub fn open(pid: u32) -> Result<Self> {
        let number = i32::try_from(pid).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| Error::InvalidValue {
            option: "pid",
            value: pid.to_string(),
            reason: "a process has a number from 1 to 2147483647",
        })?;
        sys::open(number)
            .map(Self::from)
            .map_err(|error| Error::system("pidfd_open", format_args!("process {pid}"), error))
    }

    /// The process's number in this process's PID namespace; `None` once it has been waited for, or if the namespace does
    /// not show it.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `/proc` cannot be read, or the descriptor this was made from is no process.
    pub fn pid(&self) -> Result<Option<u32>> {
        let path = format!("/proc/thread-self/fdinfo/{}", self.fd.as_raw_fd());
        let text =
            fs::read_to_string(&path).map_err(|error| Error::system("read", &path, error))?;
        pid_of(&text)
            .ok_or_else(|| Error::system("read", &path, std::io::ErrorKind::InvalidData.into()))
    }

    /// Sends a signal to the process, by its number: 15 for `SIGTERM`. 0 sends none and asks whether it could. Linux 5.1.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ESRCH` if the process has been waited for, `EPERM` without the right to signal it, `EINVAL` for
    /// a signal there is not.
    ///
    /// Source: pidfd_send_signal(2).
    #[doc(alias = "pidfd_send_signal")]
    pub fn send_signal(&self, signal: i32) -> Result<()> {
        sys::send_signal(&self.fd, signal)
            .map_err(|error| Error::system("pidfd_send_signal to", self.name(), error))
    }

    /// Whether the process has ended. Of any process, child or not, waited for or not.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOMEM`.
    pub fn has_ended(&self) -> Result<bool> {
        let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        let ready = retry(|| poll(&mut fds, PollTimeout::ZERO))
            .map_err(|error| Error::system("poll", self.name(), error))?;
        Ok(ready > 0)
    }

    /// Waits until this child has ended, and takes its status: nobody else can then wait for it, and its number is free.
    /// Linux 5.4.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ECHILD` if it is no child of this process, or has been waited for; `EAGAIN` if it has not ended
    /// and the descriptor is non-blocking.
    ///
    /// Source: P_PIDFD in waitid(2).
    #[doc(alias = "waitid")]
    pub fn wait(&self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.wait_once(true)? {
                return Ok(status);
            }
        }
    }

    /// Takes the status of this child if it has ended; `None` if it has not.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait).
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.wait_once(false)
    }

    fn wait_once(&self, blocking: bool) -> Result<Option<ExitStatus>> {
        retry(|| sys::wait(&self.fd, blocking))
            .map_err(|error| Error::system("waitid", self.name(), error))
    }

    fn name(&self) -> String {
        format!("pidfd {}", self.fd.as_raw_fd())
    }
}

owned_fd!(PidFd);

/// What `fdinfo` says of a pidfd: its number, `Some(None)` for none, `None` if it is no pidfd.
fn pid_of(fdinfo: &str) -> Option<Option<u32>> {
    let pid = fdinfo.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    let pid: i64 = pid.trim().parse().ok()?;
    // -1 once it was waited for, 0 where the namespace does not show it.
    Some(u32::try_from(pid).ok().filter(|pid| *pid > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "pos:\t0\nflags:\t02000002\nPid:\t4711\nNSpid:\t4711\n",
        Some(Some(4711))
    )]
    #[case("Pid:\t-1\nNSpid:\t-1\n", Some(None))]
    #[case("Pid:\t0\n", Some(None))]
    #[case("NSpid:\t7\n", None)]
    #[case("Pid:\tmany\n", None)]
    #[case("", None)]
    fn the_number_is_read_from_fdinfo(#[case] text: &str, #[case] want: Option<Option<u32>>) {
        assert_eq!(pid_of(text), want);
    }
}
