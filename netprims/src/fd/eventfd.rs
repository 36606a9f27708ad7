use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::eventfd::EfdFlags;

use super::{owned_fd, read_count, retry};
use crate::{Error, Result};

/// A counter one thread adds to and another waits for, alone or among other descriptors.
///
/// ```
/// use netprims::fd::EventFd;
///
/// let bell = EventFd::new()?;
/// bell.add(2)?;
/// bell.add(3)?;
/// assert_eq!(bell.take()?, 5);
/// # Ok::<(), netprims::Error>(())
/// ```
#[derive(Debug)]
pub struct EventFd {
    fd: OwnedFd,
}

impl EventFd {
    /// A counter at 0 that blocks: [`EventFdOptions`] with its defaults.
    ///
    /// # Errors
    ///
    /// Those of [`EventFdOptions::open`].
    pub fn new() -> Result<Self> {
        EventFdOptions::new().open()
    }

    /// Adds to the counter, and wakes who waits for it. The counter's maximum is 2⁶⁴−2: what would pass it waits until
    /// somebody takes, or is `EAGAIN` if it is non-blocking.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`] for 2⁶⁴−1.
    /// - [`Error::System`]: `EAGAIN` as above.
    ///
    /// Source: eventfd(2).
    #[doc(alias = "eventfd_write")]
    pub fn add(&self, count: u64) -> Result<()> {
        if count == u64::MAX {
            return Err(Error::InvalidValue {
                option: "eventfd count",
                value: count.to_string(),
                reason: "the counter's maximum is 2^64-2",
            });
        }
        match retry(|| nix::unistd::write(&self.fd, &count.to_ne_bytes())) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::system("write to", self.name(), error)),
        }
    }

    /// Takes what the counter holds and leaves 0, or takes 1 of a [semaphore](EventFdOptions::semaphore). At 0 it waits,
    /// or is `EAGAIN` if it is non-blocking.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EAGAIN` as above.
    #[doc(alias = "eventfd_read")]
    pub fn take(&self) -> Result<u64> {
        read_count(&self.fd).map_err(|error| Error::system("read from", self.name(), error))
    }

    fn name(&self) -> String {
        format!("eventfd {}", self.fd.as_raw_fd())
    }
}

owned_fd!(EventFd);

/// How to make an [`EventFd`]. A plain value: `const`-buildable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFdOptions {
    initial: u32,
    semaphore: bool,
    nonblocking: bool,
}

impl EventFdOptions {
    /// A counter at 0 that blocks.
    pub const fn new() -> Self {
        Self {
            initial: 0,
            semaphore: false,
            nonblocking: false,
        }
    }

    /// Where the counter starts. Default: 0.
    pub const fn initial(mut self, count: u32) -> Self {
        self.initial = count;
        self
    }

    /// Whether taking takes 1, not all. Default: all.
    #[doc(alias = "EFD_SEMAPHORE")]
    pub const fn semaphore(mut self, semaphore: bool) -> Self {
        self.semaphore = semaphore;
        self
    }

    /// Whether what would wait is `EAGAIN`. Default: it waits.
    #[doc(alias = "EFD_NONBLOCK")]
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
    /// Source: eventfd(2).
    #[doc(alias = "eventfd2")]
    pub fn open(self) -> Result<EventFd> {
        let mut flags = EfdFlags::EFD_CLOEXEC;
        flags.set(EfdFlags::EFD_SEMAPHORE, self.semaphore);
        flags.set(EfdFlags::EFD_NONBLOCK, self.nonblocking);
        nix::sys::eventfd::EventFd::from_value_and_flags(self.initial, flags)
            .map(|event| EventFd { fd: event.into() })
            .map_err(|errno| Error::system("eventfd2", "a counter", errno.into()))
    }
}
