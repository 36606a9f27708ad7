//! Completion queues.

mod status;

use std::sync::Arc;

use crate::device::verb_error;
use crate::error::Result;
use crate::sys::{CqHandle, Poller};

pub use crate::sys::{Completion, Completions};
pub use status::WcStatus;

/// A completion queue.
///
/// One value polls it. Queue pairs created on it keep it alive, but once this value is dropped
/// nobody can poll it any more.
#[doc(alias = "ibv_cq")]
#[derive(Debug)]
pub struct Cq {
    poller: Poller,
    capacity: u32,
}

impl Cq {
    pub(crate) fn new(poller: Poller, capacity: u32) -> Self {
        Cq { poller, capacity }
    }

    pub(crate) fn handle(&self) -> &Arc<CqHandle> {
        self.poller.cq()
    }

    /// How many completions it has room for.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Fetches the completions that are there, at most 16, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`](crate::Error::Verb): the device failed.
    #[doc(alias = "ibv_poll_cq")]
    #[inline]
    pub fn poll(&mut self) -> Result<Completions<'_>> {
        self.poller.poll().map_err(|errno| {
            verb_error("ibv_poll_cq", String::from("of a completion queue"), errno)
        })
    }
}
