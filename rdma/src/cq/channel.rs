//! Waiting for completions.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Completions, Cq};
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::sys::{ChannelHandle, ContextHandle, CqNumber};

/// Where completion queues say that they have something.
///
/// Clones are the same channel. Its descriptor becomes readable with an event; it never blocks. It is
/// for waiting, not for reading: an event that is read past [`next_event`](Self::next_event) is never
/// acknowledged, and the end of its completion queue waits for that (`ibv_destroy_cq(3)`).
///
/// Completion queues say so only when they were asked to, by [`Cq::arm`], and then once.
#[doc(alias = "ibv_comp_channel")]
#[derive(Clone, Debug)]
pub struct CompChannel {
    handle: Arc<ChannelHandle>,
}

impl CompChannel {
    pub(crate) fn new(handle: Arc<ChannelHandle>) -> Self {
        CompChannel { handle }
    }

    pub(crate) fn handle(&self) -> &Arc<ChannelHandle> {
        &self.handle
    }

    pub(crate) fn is_of(&self, context: &Arc<ContextHandle>) -> bool {
        self.handle.is_of(context)
    }

    /// Which completion queue has something to poll; `None` if none has said so. An event of a queue
    /// that is gone may still come.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]: the device is gone.
    #[doc(alias = "ibv_get_cq_event")]
    #[doc(alias = "ibv_ack_cq_events")]
    pub fn next_event(&self) -> Result<Option<CqNumber>> {
        let failed = |errno| verb_error("ibv_get_cq_event", String::from("of a channel"), errno);
        self.handle.next_event().map_err(failed)
    }

    /// As [`next_event`](Self::next_event), but waits for one, for at most `limit`.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub fn wait(&self, limit: Duration) -> Result<Option<CqNumber>> {
        let deadline = Instant::now().checked_add(limit);
        loop {
            if let Some(number) = self.next_event()? {
                return Ok(Some(number));
            }
            if !wait_until(self.as_fd(), deadline)? {
                return Ok(None);
            }
        }
    }
}

impl AsFd for CompChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Waits until the descriptor is readable, or something interrupts; `false` once the time is over.
/// Without a deadline it waits for ever.
pub(crate) fn wait_until(fd: BorrowedFd<'_>, deadline: Option<Instant>) -> Result<bool> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        return Ok(false);
    }
    // Rounded up, so that the last wait is not one of no time.
    let millis = left.map(|left| left.as_nanos().div_ceil(1_000_000));
    let timeout = millis.map_or(PollTimeout::NONE, |millis| {
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(true),
        Err(errno) => Err(Error::Verb {
            operation: "poll",
            object: String::from("for an event"),
            source: errno.into(),
            hint: String::new(),
        }),
    }
}

/// Which completions an event is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// The next one.
    Any,
    /// The next of a message that was sent as [solicited](crate::Wr::solicited), or of failed work.
    Solicited,
}

impl Cq {
    /// Tells it from every other in the process.
    #[must_use]
    pub fn number(&self) -> CqNumber {
        self.handle().number()
    }

    /// The channel by which it says that it has something, if it was made with one.
    #[must_use]
    pub fn channel(&self) -> Option<CompChannel> {
        self.handle()
            .channel()
            .map(Arc::clone)
            .map(CompChannel::new)
    }

    /// Asks for one event by the channel, with the next completion that comes. Of those that are
    /// there already it may say nothing: [`poll`](Self::poll) once more afterwards.
    ///
    /// # Errors
    ///
    /// - [`Error::NoChannel`].
    /// - [`Error::Verb`].
    #[doc(alias = "ibv_req_notify_cq")]
    pub fn arm(&mut self, which: Arm) -> Result<()> {
        if self.handle().channel().is_none() {
            return Err(Error::NoChannel);
        }
        let failed = |errno| verb_error("ibv_req_notify_cq", String::from("of a CQ"), errno);
        self.handle().arm(which == Arm::Solicited).map_err(failed)
    }

    /// As [`poll`](Self::poll), but waits for a completion, for at most `limit`; without one by then,
    /// there are none in what it returns.
    ///
    /// It takes the events of its channel, whichever completion queue they are of: where several share
    /// one, wait for the channel.
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll) and [`arm`](Self::arm).
    pub fn wait(&mut self, limit: Duration) -> Result<Completions<'_>> {
        let channel = self.channel().ok_or(Error::NoChannel)?;
        let deadline = Instant::now().checked_add(limit);
        while !self.fetches()? {
            self.arm(Arm::Any)?;
            // One that came before it was asked for says nothing.
            if self.fetches()? {
                break;
            }
            let is_time_left = wait_until(channel.as_fd(), deadline)?;
            while channel.next_event()?.is_some() {}
            if !is_time_left {
                break;
            }
        }
        self.poll()
    }

    /// Whether there is something, which is then fetched and comes with the next poll.
    pub(crate) fn fetches(&mut self) -> Result<bool> {
        drop(self.poll()?);
        Ok(!self.has_nothing_fetched())
    }
}
