//! Completion queues.

#[cfg(feature = "tokio")]
mod async_channel;
#[cfg(feature = "tokio")]
mod async_cq;
mod attr;
mod channel;
mod opcode;
mod status;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::sys::{CqHandle, Poller};

pub use crate::sys::{Completion, Completions, CqNumber};
#[cfg(feature = "tokio")]
pub use async_channel::AsyncCompChannel;
#[cfg(feature = "tokio")]
pub use async_cq::AsyncCq;
pub use attr::CqAttr;
pub(crate) use channel::wait_until;
pub use channel::{Arm, CompChannel};
pub use opcode::WcOpcode;
pub use status::WcStatus;

/// A completion queue.
///
/// One value polls it. Queue pairs created on it keep it alive, but once this value is dropped
/// nobody can poll it any more.
#[doc(alias = "ibv_cq")]
#[derive(Debug)]
pub struct Cq {
    poller: Poller,
}

impl Cq {
    pub(crate) fn new(poller: Poller) -> Self {
        Cq { poller }
    }

    pub(crate) fn handle(&self) -> &Arc<CqHandle> {
        self.poller.cq()
    }

    pub(crate) fn has_nothing_fetched(&self) -> bool {
        self.poller.is_used_up()
    }

    /// How many completions it has room for: what was asked for, or what the device granted if that
    /// is less.
    #[doc(alias = "cqe")]
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.handle().capacity()
    }

    /// Fetches the completions that are there, at most 16, without waiting. If an earlier poll
    /// fetched some that were not taken out of its [`Completions`], it yields those instead.
    ///
    /// It calls the device's driver and allocates nothing. Only when queue pairs of this completion
    /// queue were destroyed does it take a lock: once, to give their room back.
    ///
    /// # Errors
    ///
    /// [`Error::CqFailed`](crate::Error::CqFailed): the driver failed, now or in an earlier poll.
    /// Completions may be lost, so nothing more comes out of this queue: close the queue pairs on
    /// it, which returns their buffers to their regions.
    #[doc(alias = "ibv_poll_cq")]
    #[inline]
    pub fn poll(&mut self) -> Result<Completions<'_>> {
        match self.poller.poll() {
            Ok(completions) => Ok(completions),
            Err(result) => Err(Error::CqFailed { result }),
        }
    }
}

impl Completion<'_> {
    /// What kind of work the driver says it was.
    #[must_use]
    pub fn opcode(&self) -> WcOpcode {
        WcOpcode::from_raw(self.opcode_number())
    }

    /// When the work was over, in ticks of the device's [clock](crate::Context::clock); only on
    /// completion queues that were made with [`CqAttr::timestamps`].
    #[doc(alias = "ibv_wc_read_completion_ts")]
    #[must_use]
    pub fn timestamp(&self) -> Option<u64> {
        self.stamps().0
    }

    /// When the work was over; only on completion queues that were made with
    /// [`CqAttr::wallclock`].
    #[doc(alias = "ibv_wc_read_completion_wallclock_ns")]
    #[must_use]
    pub fn wallclock(&self) -> Option<SystemTime> {
        let since = Duration::from_nanos(self.stamps().1?);
        UNIX_EPOCH.checked_add(since)
    }
}
