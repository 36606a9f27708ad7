use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use super::{owned_fd, read_count};
use crate::sys::timerfd as sys;
use crate::{Error, Result};

/// A timer that is waited for like a socket.
///
/// ```
/// use std::time::Duration;
/// use netprims::fd::{Clock, TimerFd};
///
/// let timer = TimerFd::new(Clock::Monotonic)?;
/// timer.set(Duration::from_millis(1), None)?;
/// assert_eq!(timer.wait()?, 1);
/// assert_eq!(timer.remaining()?, None);
/// # Ok::<(), netprims::Error>(())
/// ```
#[derive(Debug)]
pub struct TimerFd {
    fd: OwnedFd,
}

/// What a timer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clock {
    /// Time the system is awake; nobody sets it.
    #[doc(alias = "CLOCK_MONOTONIC")]
    Monotonic,
    /// The time of day. Timers here are relative, so setting the clock does not move them.
    #[doc(alias = "CLOCK_REALTIME")]
    Realtime,
    /// Time since the start of the system, asleep or awake. Linux 3.15.
    #[doc(alias = "CLOCK_BOOTTIME")]
    Boottime,
}

impl TimerFd {
    /// A timer that is not set and blocks: [`TimerFdOptions`] with its defaults.
    ///
    /// # Errors
    ///
    /// Those of [`TimerFdOptions::open`].
    pub fn new(clock: Clock) -> Result<Self> {
        TimerFdOptions::new(clock).open()
    }

    /// Lets it fire after a time, and from then on at every interval if there is one. Replaces what was set, and what
    /// had fired and was not waited for. A time of zero fires at once; an interval of zero is none.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: a time of more than 2⁶³−1 seconds. Nothing changed.
    /// - [`Error::System`]: `EINVAL` if the descriptor this was made from is no timer.
    ///
    /// Source: timerfd_settime(2).
    #[doc(alias = "timerfd_settime")]
    pub fn set(&self, after: Duration, every: Option<Duration>) -> Result<()> {
        // Zero would disarm it.
        let after = after.max(Duration::from_nanos(1));
        self.arm(after, every.unwrap_or_default())
    }

    /// Stops it. What had fired and was not waited for is gone as well.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EINVAL` if the descriptor this was made from is no timer.
    pub fn disarm(&self) -> Result<()> {
        self.arm(Duration::ZERO, Duration::ZERO)
    }

    /// The time until it fires next; `None` if it is not set, or has fired and has no interval. Zero: it is at the end of
    /// an interval.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EINVAL` if the descriptor this was made from is no timer.
    #[doc(alias = "timerfd_gettime")]
    pub fn remaining(&self) -> Result<Option<Duration>> {
        sys::remaining(&self.fd)
            .map(|[left, every]| is_set(left, every).then_some(left))
            .map_err(|error| Error::system("timerfd_gettime", self.name(), error))
    }

    /// How often it fired since it was set or last waited for, at least once: it waits for that, or is `EAGAIN` if it is
    /// non-blocking. A timer that is not set blocks until another thread sets it.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EAGAIN` as above.
    ///
    /// Source: timerfd_create(2).
    pub fn wait(&self) -> Result<u64> {
        read_count(&self.fd).map_err(|error| Error::system("read from", self.name(), error))
    }

    fn arm(&self, after: Duration, every: Duration) -> Result<()> {
        let name = self.name();
        let [after, every] = [after, every].map(|time| {
            sys::timespec(time).ok_or_else(|| Error::InvalidValue {
                option: "timerfd time",
                value: format!("{time:?}"),
                reason: "the kernel counts at most 2^63-1 seconds",
            })
        });
        sys::set(&self.fd, after?, every?)
            .map_err(|error| Error::system("timerfd_settime", name, error))
    }

    fn name(&self) -> String {
        format!("timerfd {}", self.fd.as_raw_fd())
    }
}

owned_fd!(TimerFd);

/// At the end of an interval nothing is left of it, and the timer goes on.
fn is_set(left: Duration, every: Duration) -> bool {
    !left.is_zero() || !every.is_zero()
}

/// How to make a [`TimerFd`]. A plain value: `const`-buildable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerFdOptions {
    clock: Clock,
    nonblocking: bool,
}

impl TimerFdOptions {
    /// A timer of this clock that is not set and blocks.
    pub const fn new(clock: Clock) -> Self {
        Self {
            clock,
            nonblocking: false,
        }
    }

    /// Whether waiting for a timer that has not fired is `EAGAIN`. Default: it waits.
    #[doc(alias = "TFD_NONBLOCK")]
    pub const fn nonblocking(mut self, nonblocking: bool) -> Self {
        self.nonblocking = nonblocking;
        self
    }

    /// Makes it, close-on-exec.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EMFILE`, `ENFILE`, `ENOMEM`.
    ///
    /// Source: timerfd_create(2).
    #[doc(alias = "timerfd_create")]
    pub fn open(self) -> Result<TimerFd> {
        let clock = match self.clock {
            Clock::Monotonic => libc::CLOCK_MONOTONIC,
            Clock::Realtime => libc::CLOCK_REALTIME,
            Clock::Boottime => libc::CLOCK_BOOTTIME,
        };
        sys::create(clock, self.nonblocking)
            .map(TimerFd::from)
            .map_err(|error| {
                let name = format!("a timer of {:?}", self.clock);
                Error::system("timerfd_create", name, error)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::not_set_or_fired(0, 0, false)]
    #[case::once(5, 0, true)]
    #[case::within_an_interval(5, 9, true)]
    #[case::at_the_end_of_one(0, 9, true)]
    fn a_timer_with_an_interval_is_set(#[case] left: u64, #[case] every: u64, #[case] want: bool) {
        let [left, every] = [left, every].map(Duration::from_nanos);
        assert_eq!(is_set(left, every), want);
    }
}
