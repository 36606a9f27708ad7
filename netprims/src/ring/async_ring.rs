use std::fmt;
use std::ops::{Deref, DerefMut};

use tokio::task::coop::consume_budget;
use tokio::task::yield_now;

use super::{Event, Queue, Ring, Wait};
use crate::sys::readiness::Readiness;
use crate::{Error, Result};

/// A ring in a tokio runtime: its [`poll`](AsyncRing::poll) waits without blocking the thread.
///
/// Like the ring it stays on its thread: drive it from a `current_thread` runtime, a `LocalSet`, or the future given to
/// `block_on`. Everything else is done with the [`Ring`], which this dereferences to. What is queued there is seen by the
/// kernel at the next `poll`.
///
/// # Example
///
/// ```
/// use netprims::ring::{AsyncRing, Event, Ring};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
/// runtime.block_on(async {
///     let mut ring = AsyncRing::new(Ring::builder().build()?)?;
///     ring.timeout(std::time::Duration::from_millis(1))?;
///     ring.poll(|event| assert!(matches!(event, Event::TimedOut { .. }))).await?;
///     Ok(())
/// })
/// # }
/// ```
pub struct AsyncRing {
    ring: Ring,
    bell: Readiness,
}

impl AsyncRing {
    /// Registers the ring with the runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in one whose I/O is not enabled, as tokio's own types do.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if no descriptor is left ([`Ring::pollable`]), or the runtime's epoll cannot take another. The ring
    /// is dropped then.
    pub fn new(ring: Ring) -> Result<Self> {
        let (ring, bell) = ring.pollable()?.into_parts();
        let bell = Readiness::new(bell.into());
        let bell =
            bell.map_err(|error| Error::system("epoll_ctl", "an eventfd for the ring", error))?;
        Ok(Self { ring, bell })
    }

    /// Hands queued requests to the kernel, waits for the first event, and tells the handler each event there is. Returns
    /// how many: 0 only if nothing is in flight.
    ///
    /// A receive that waits for memory goes on when an [`RxBuf`](super::RxBuf) of its pool is dropped, on whichever thread.
    ///
    /// Dropping the future at any time loses no event: it only ever waits with none taken.
    ///
    /// # Errors
    ///
    /// As for [`Ring::poll`].
    pub async fn poll(&mut self, mut handler: impl FnMut(Event<'_>)) -> Result<usize> {
        self.poll_with(|event, _| handler(event)).await
    }

    /// As [`poll`](AsyncRing::poll), with a handler that may queue requests, as [`Ring::poll_with`].
    ///
    /// # Errors
    ///
    /// As for [`Ring::poll`].
    pub async fn poll_with(
        &mut self,
        mut handler: impl FnMut(Event<'_>, &mut Queue<'_>),
    ) -> Result<usize> {
        // A ring that always has something to tell must let other tasks run.
        consume_budget().await;
        loop {
            let handler =
                |event: Event<'_>, engine: &mut _| handler(event, &mut Queue::new(engine));
            let events = self.ring.core.poll_all(Wait::No, handler)?;
            if events > 0 || self.ring.in_flight() == 0 {
                return Ok(events);
            }
            if !self.ring.core.can_wait_for_bell() {
                yield_now().await;
                continue;
            }
            // The bell was rung at the latest for what the ring was just polled for, or will be for what comes.
            let rung = self.bell.rung().await;
            rung.map_err(|error| Error::system("epoll_wait", "ring", error))?;
        }
    }

    /// The ring, out of the runtime.
    pub fn into_inner(mut self) -> Ring {
        self.ring.silence();
        self.ring
    }
}

impl Deref for AsyncRing {
    type Target = Ring;

    fn deref(&self) -> &Ring {
        &self.ring
    }
}

impl DerefMut for AsyncRing {
    fn deref_mut(&mut self) -> &mut Ring {
        &mut self.ring
    }
}

impl fmt::Debug for AsyncRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.ring, f)
    }
}
