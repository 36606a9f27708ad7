//! Timers as descriptors.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// `timerfd_create`, close-on-exec.
pub(crate) fn create(clock: libc::clockid_t, nonblocking: bool) -> io::Result<OwnedFd> {
    let flags = if nonblocking { libc::TFD_NONBLOCK } else { 0 };
    // SAFETY: the call takes numbers only.
    let fd = unsafe { libc::timerfd_create(clock, libc::TFD_CLOEXEC | flags) };
    check(fd)?;
    // SAFETY: `fd` is not negative, so it is a descriptor the kernel has just opened for this process, and nobody else
    // knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A time as the kernel takes it, if it can.
pub(crate) fn timespec(time: Duration) -> Option<libc::timespec> {
    // Below 10⁹, so it fits every `long` there is.
    let nanos = i32::try_from(time.subsec_nanos()).ok()?;
    Some(libc::timespec {
        tv_sec: time.as_secs().try_into().ok()?,
        tv_nsec: nanos.into(),
    })
}

/// `timerfd_settime`, relative.
pub(crate) fn set(timer: &OwnedFd, after: libc::timespec, every: libc::timespec) -> io::Result<()> {
    let value = libc::itimerspec {
        it_interval: every,
        it_value: after,
    };
    let none = std::ptr::null_mut();
    // SAFETY: the kernel reads a `struct itimerspec` from the third argument during the call, a live local of that type,
    // and writes none where the fourth is null. The descriptor is open: `timer` borrows its owner.
    check(unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const value, none) })
}

/// `timerfd_gettime`: until it fires next, zero if it will not or is about to; and its interval, zero for none.
pub(crate) fn remaining(timer: &OwnedFd) -> io::Result<[Duration; 2]> {
    let zero = || libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut value = libc::itimerspec {
        it_interval: zero(),
        it_value: zero(),
    };
    // SAFETY: the kernel writes a `struct itimerspec` to the second argument during the call: a live local of that type,
    // for which every bit pattern is valid. The descriptor is open: `timer` borrows its owner.
    check(unsafe { libc::timerfd_gettime(timer.as_raw_fd(), &raw mut value) })?;
    Ok([duration(value.it_value)?, duration(value.it_interval)?])
}

fn duration(time: libc::timespec) -> io::Result<Duration> {
    match (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_time_is_taken_if_its_seconds_fit(seconds: u64, nanos in 0..1_000_000_000_u32) {
            let taken = timespec(Duration::new(seconds, nanos));
            prop_assert_eq!(taken.is_some(), i64::try_from(seconds).is_ok());
            if let Some(taken) = taken {
                prop_assert_eq!(duration(taken).unwrap(), Duration::new(seconds, nanos));
            }
        }
    }
}
