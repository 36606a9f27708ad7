mod busy_poll;
mod events;
mod interest;

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::epoll::{EpollCreateFlags, EpollEvent};

pub use busy_poll::BusyPoll;
pub use events::{Event, Events};
pub use interest::Interest;

use crate::fd::{owned_fd, retry};
use crate::sys::epoll::{self as sys, Op};
use crate::{Error, Result};

/// A set of descriptors to wait for.
///
/// A descriptor leaves the set when the last descriptor of its *open file description* is closed, not when the number
/// is: with duplicates about, [`remove`](Self::remove) it before closing.
///
/// ```
/// use std::time::Duration;
/// use netprims::fd::{Epoll, EventFd, Events, Interest};
///
/// let epoll = Epoll::new()?;
/// let bell = EventFd::new()?;
/// epoll.add(&bell, 7, Interest::READABLE)?;
///
/// let mut events = Events::with_capacity(64);
/// assert_eq!(epoll.wait(&mut events, Some(Duration::ZERO))?, 0);
/// bell.add(1)?;
/// epoll.wait(&mut events, None)?;
/// let [event] = events.iter().collect::<Vec<_>>()[..] else { panic!() };
/// assert!(event.token() == 7 && event.is_readable());
/// # Ok::<(), netprims::Error>(())
/// ```
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    /// Makes an empty set, close-on-exec.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EMFILE`, `ENFILE`, `ENOMEM`.
    ///
    /// Source: epoll_create1(2).
    #[doc(alias = "epoll_create1")]
    pub fn new() -> Result<Self> {
        nix::sys::epoll::Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map(|epoll| Self { fd: epoll.0 })
            .map_err(|errno| Error::system("epoll_create1", "a set", errno.into()))
    }

    /// Adds a descriptor. Its events carry the token.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EEXIST` if it is in the set, `EPERM` for what cannot be waited for (a file on disk, a
    /// directory), `EINVAL` for this set itself, `ELOOP` for a set that contains this one, `ENOSPC` past
    /// `fs.epoll.max_user_watches`.
    ///
    /// Source: epoll_ctl(2).
    #[doc(alias = "EPOLL_CTL_ADD")]
    pub fn add(&self, fd: &impl AsFd, token: u64, interest: Interest) -> Result<()> {
        self.control("epoll_ctl ADD", Op::Add, fd, token, interest)
    }

    /// Changes token and interest of a descriptor of the set. Wakes a [one-shot](Interest::one_shot) entry up again.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOENT` if it is not in the set, `EINVAL` for an [exclusive](Interest::exclusive) interest,
    /// which is only for [`add`](Self::add).
    #[doc(alias = "EPOLL_CTL_MOD")]
    pub fn modify(&self, fd: &impl AsFd, token: u64, interest: Interest) -> Result<()> {
        self.control("epoll_ctl MOD", Op::Modify, fd, token, interest)
    }

    /// Takes a descriptor out.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOENT` if it is not in the set.
    #[doc(alias = "EPOLL_CTL_DEL")]
    pub fn remove(&self, fd: &impl AsFd) -> Result<()> {
        self.control("epoll_ctl DEL", Op::Remove, fd, 0, Interest::NONE)
    }

    /// Waits until there is an event, and returns how many `events` now holds: at most its capacity, 0 when the time is
    /// over. What was in `events` before is gone.
    ///
    /// `None` waits without end. A time is rounded up to the millisecond and cut at 24 days. A signal neither ends nor
    /// prolongs the wait: it begins again with what is left.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EINVAL` if the descriptor this was made from is no epoll instance.
    ///
    /// Source: epoll_wait(2).
    #[doc(alias = "epoll_wait")]
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> Result<usize> {
        let end = timeout.and_then(|time| Instant::now().checked_add(time));
        let mut left = timeout;
        let count = retry(|| {
            let result = sys::wait(&self.fd, events.room(), milliseconds(left));
            left = match (end, timeout) {
                (Some(end), Some(_)) => Some(end.saturating_duration_since(Instant::now())),
                _ => timeout,
            };
            result
        });
        let count = count.map_err(|error| self.error("epoll_wait on", error))?;
        events.set_len(count);
        Ok(count)
    }

    /// How the set polls the network devices of its sockets while it waits. Replaces what was set before; takes effect
    /// with the next wait.
    ///
    /// Linux 6.9. Raising the budget above 64 needs CAP_NET_ADMIN in the first user namespace; nothing else needs a
    /// privilege. It has an effect only where a socket of the set has a NAPI id: not on loopback.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: the time is no whole number of microseconds or above 2³¹−1 of them. Nothing changed.
    /// - [`Error::System`]: `EPERM` for a budget above 64 without the privilege; `ENOTTY` or `EINVAL` from a kernel
    ///   without these parameters; `EOPNOTSUPP` from one built without busy polling. Nothing changed.
    ///
    /// Source: ioctl_eventpoll(2), `fs/eventpoll.c`.
    #[doc(alias = "EPIOCSPARAMS")]
    pub fn set_busy_poll(&self, parameters: BusyPoll) -> Result<()> {
        let raw = parameters.raw()?;
        sys::set_params(&self.fd, raw).map_err(|error| {
            let advice = match error.raw_os_error() {
                Some(libc::EPERM) => "a budget above 64 needs CAP_NET_ADMIN",
                Some(libc::ENOTTY | libc::EINVAL) => NEEDS_PARAMETERS,
                Some(libc::EOPNOTSUPP) => NEEDS_BUSY_POLL,
                _ => return self.error("ioctl EPIOCSPARAMS on", error),
            };
            Error::advised("ioctl EPIOCSPARAMS on", self.name(), error, advice)
        })
    }

    /// The busy-poll parameters in effect. Linux 6.9.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTTY`, `EINVAL` or `EOPNOTSUPP` as in [`set_busy_poll`](Self::set_busy_poll).
    #[doc(alias = "EPIOCGPARAMS")]
    pub fn busy_poll(&self) -> Result<BusyPoll> {
        match sys::params(&self.fd) {
            Ok(raw) => Ok(BusyPoll::from_raw(raw)),
            Err(error) => {
                let advice = match error.raw_os_error() {
                    Some(libc::ENOTTY | libc::EINVAL) => NEEDS_PARAMETERS,
                    Some(libc::EOPNOTSUPP) => NEEDS_BUSY_POLL,
                    _ => return Err(self.error("ioctl EPIOCGPARAMS on", error)),
                };
                let name = self.name();
                Err(Error::advised("ioctl EPIOCGPARAMS on", name, error, advice))
            }
        }
    }

    fn control(
        &self,
        operation: &'static str,
        op: Op,
        fd: &impl AsFd,
        token: u64,
        interest: Interest,
    ) -> Result<()> {
        let event = EpollEvent::new(interest.flags(), token);
        sys::control(&self.fd, op, fd, event).map_err(|error| {
            let number = fd.as_fd().as_raw_fd();
            Error::system(operation, format_args!("fd {number}"), error)
        })
    }

    fn error(&self, operation: &'static str, error: io::Error) -> Error {
        Error::system(operation, self.name(), error)
    }

    fn name(&self) -> String {
        format!("epoll fd {}", self.fd.as_raw_fd())
    }
}

owned_fd!(Epoll);

const NEEDS_PARAMETERS: &str =
    "epoll has busy-poll parameters since Linux 6.9, if the descriptor is one of epoll";
const NEEDS_BUSY_POLL: &str = "the kernel is built without CONFIG_NET_RX_BUSY_POLL";

/// As epoll_wait takes it: rounded up, −1 for no end.
fn milliseconds(timeout: Option<Duration>) -> i32 {
    timeout.map_or(-1, |time| {
        i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, -1)]
    #[case(Some(Duration::ZERO), 0)]
    #[case(Some(Duration::from_nanos(1)), 1)]
    #[case(Some(Duration::from_millis(1)), 1)]
    #[case(Some(Duration::from_micros(1001)), 2)]
    #[case(Some(Duration::MAX), i32::MAX)]
    fn a_time_is_rounded_up(#[case] time: Option<Duration>, #[case] want: i32) {
        assert_eq!(milliseconds(time), want);
    }
}
