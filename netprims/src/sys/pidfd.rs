//! Processes as descriptors.

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// `pidfd_open`, which is close-on-exec always.
pub(crate) fn open(pid: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, c_long::from(pid), 0 as c_long) };
    let fd = RawFd::try_from(check(result)?).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: `fd` is not negative, so it is a descriptor the kernel has just opened for this process, and nobody else
    // knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `pidfd_send_signal`, as kill(2) would send it.
pub(crate) fn send_signal(process: &OwnedFd, signal: c_int) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null third argument lets the kernel fill in the signal's information; the rest are numbers. The
    // descriptor is open: `process` borrows its owner.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            c_long::from(process.as_raw_fd()),
            c_long::from(signal),
            none,
            0 as c_long,
        )
    };
    check(result).map(drop)
}

/// `waitid`: the status of a child that ended, `None` if it has not.
pub(crate) fn wait(process: &OwnedFd, blocking: bool) -> io::Result<Option<ExitStatus>> {
    let id = libc::id_t::try_from(process.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidData)?;
    let options = libc::WEXITED | if blocking { 0 } else { libc::WNOHANG };
    // SAFETY: `siginfo_t` is a plain C struct of numbers, for which all zeroes is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes a `siginfo_t` to the third argument during the call; `info` is a live local of that type.
    // The descriptor is open: `process` borrows its owner.
    let result = unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, options) };
    check(c_long::from(result))?;
    // SAFETY: reads a number from the union in `info`, which is initialised in full: zeroed, then written by the kernel.
    let pid = unsafe { info.si_pid() };
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    status_of(info.si_code, status)
        .map(Some)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The status as wait(2) encodes it.
fn status_of(code: c_int, status: c_int) -> Option<ExitStatus> {
    let raw = match code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_KILLED => status & 0x7f,
        libc::CLD_DUMPED => status & 0x7f | 0x80,
        _ => return None,
    };
    Some(ExitStatus::from_raw(raw))
}

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(libc::CLD_EXITED, 7, Some((Some(7), None, false)))]
    #[case(libc::CLD_EXITED, 255, Some((Some(255), None, false)))]
    #[case(libc::CLD_KILLED, 9, Some((None, Some(9), false)))]
    #[case(libc::CLD_KILLED, 64, Some((None, Some(64), false)))]
    #[case(libc::CLD_DUMPED, 6, Some((None, Some(6), true)))]
    #[case(libc::CLD_STOPPED, 19, None)]
    fn a_status_says_how_it_ended(
        #[case] code: c_int,
        #[case] status: c_int,
        #[case] want: Option<(Option<i32>, Option<i32>, bool)>,
    ) {
        let told = status_of(code, status);
        let told = told.map(|status| (status.code(), status.signal(), status.core_dumped()));
        assert_eq!(told, want);
    }
}
