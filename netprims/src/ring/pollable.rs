use std::fmt;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::{Event, Queue, Ring, Wait};
use crate::fd::{EventFd, EventFdOptions};
use crate::{Error, Result};

/// A ring whose descriptor is readable when it has something to tell, for poll(2), epoll(7) and async runtimes.
///
/// The descriptor is that of an eventfd the kernel rings, level- or edge-triggered. It is not the ring's own: that one does
/// not become readable for work that the kernel defers to the ring's thread (seen on Linux 6.18). For waiting it is enough
/// to look at the descriptor; nothing is to be read from it.
///
/// Everything else is done with the [`Ring`], which this dereferences to. What is queued there is seen by the kernel at the
/// next [`poll`](PollableRing::poll), so poll before waiting.
///
/// # Example
///
/// ```
/// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
/// use netprims::ring::{Event, Ring, Wait};
/// use std::os::fd::AsFd;
///
/// let mut ring = Ring::builder().build()?.pollable()?;
/// ring.timeout(std::time::Duration::from_millis(1))?;
/// while ring.poll(Wait::No, |event| assert!(matches!(event, Event::TimedOut { .. })))? == 0 {
///     poll(&mut [PollFd::new(ring.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PollableRing {
    ring: Ring,
    bell: EventFd,
}

impl Ring {
    /// Gives the ring a descriptor to wait for. The kernel rings it for every completion from now on, which costs a little.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EMFILE`, `ENFILE`, `ENOMEM`. The ring is dropped then.
    ///
    /// Source: eventfd(2), io_uring_register(2), `IORING_REGISTER_EVENTFD` (Linux 5.2).
    #[doc(alias = "IORING_REGISTER_EVENTFD")]
    pub fn pollable(mut self) -> Result<PollableRing> {
        let bell = self.bell()?;
        let kernel = self.core.engine.kernel_mut();
        kernel.ring_bell(Some(bell.as_fd())).map_err(|error| {
            Error::system("io_uring_register", "an eventfd for the ring", error)
        })?;
        Ok(PollableRing { ring: self, bell })
    }
}

impl Ring {
    /// An eventfd that whoever drops received memory rings, too. The ring keeps a copy.
    fn bell(&self) -> Result<EventFd> {
        let copy = |fd: BorrowedFd<'_>| {
            let copied = fd.try_clone_to_owned();
            copied.map_err(|error| Error::system("fcntl", "an eventfd for the ring", error))
        };
        let bell = self.core.engine.bell();
        match bell.eventfd() {
            Some(eventfd) => Ok(EventFd::from(copy(eventfd)?)),
            None => {
                let eventfd = EventFdOptions::new().nonblocking(true).open()?;
                bell.hang(copy(eventfd.as_fd())?);
                Ok(eventfd)
            }
        }
    }

    /// Stops the bell.
    pub(super) fn silence(&mut self) {
        // Where it fails, the eventfd is rung for nobody.
        let _ = self.core.engine.kernel_mut().ring_bell(None);
    }
}

impl PollableRing {
    /// As [`Ring::poll`]. If it tells nothing, the descriptor is readable as soon as there is something to tell; if it tells
    /// something, poll again before waiting.
    ///
    /// That goes for a receive that waits for memory, too: dropping an [`RxBuf`](super::RxBuf) of its pool, on whichever
    /// thread, makes the descriptor readable.
    ///
    /// # Errors
    ///
    /// As for [`Ring::poll`].
    pub fn poll(&mut self, wait: Wait, mut handler: impl FnMut(Event<'_>)) -> Result<usize> {
        self.poll_with(wait, |event, _| handler(event))
    }

    /// As [`poll`](PollableRing::poll), with a handler that may queue requests, as [`Ring::poll_with`].
    ///
    /// # Errors
    ///
    /// As for [`Ring::poll`].
    pub fn poll_with(
        &mut self,
        wait: Wait,
        mut handler: impl FnMut(Event<'_>, &mut Queue<'_>),
    ) -> Result<usize> {
        let handler = |event: Event<'_>, engine: &mut _| handler(event, &mut Queue::new(engine));
        // Before the ring is looked at: what comes after that rings anew. It never waits, and says EAGAIN if it was silent.
        let _ = nix::unistd::read(&self.bell, &mut [0; 8]);
        let polled = self.ring.core.poll_all(wait, handler);
        let is_bell_enough = match &polled {
            Ok(0) => self.ring.core.can_wait_for_bell(),
            Ok(_) => true,
            // It was not looked at everything.
            Err(_) => false,
        };
        if !is_bell_enough {
            // Nobody else would. It refuses only when it has been rung too often to be silent.
            let _ = self.bell.add(1);
        }
        polled
    }

    /// The ring, without the descriptor.
    pub fn into_inner(mut self) -> Ring {
        self.ring.silence();
        self.ring
    }

    #[cfg(feature = "tokio")]
    pub(super) fn into_parts(self) -> (Ring, EventFd) {
        (self.ring, self.bell)
    }
}

impl Deref for PollableRing {
    type Target = Ring;

    fn deref(&self) -> &Ring {
        &self.ring
    }
}

impl DerefMut for PollableRing {
    fn deref_mut(&mut self) -> &mut Ring {
        &mut self.ring
    }
}

impl AsFd for PollableRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl AsRawFd for PollableRing {
    fn as_raw_fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}

impl fmt::Debug for PollableRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.ring, f)
    }
}
