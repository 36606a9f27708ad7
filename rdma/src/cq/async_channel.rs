//! Completion channels in a tokio runtime.

use super::{CompChannel, CqNumber};
use crate::error::{Error, Result};
use crate::sys::Readiness;

/// A completion channel in a tokio runtime, for several completion queues that share it: one task waits for it, and polls
/// the one that an event names. For a single queue there is [`AsyncCq`](super::AsyncCq).
#[derive(Debug)]
pub struct AsyncCompChannel {
    channel: CompChannel,
    readiness: Readiness,
}

impl AsyncCompChannel {
    /// Registers the channel with the runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in one whose I/O is not enabled, as tokio's own types do.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]: the runtime's epoll cannot take another descriptor, or has this one (EEXIST).
    pub fn new(channel: CompChannel) -> Result<Self> {
        let readiness = Readiness::new(channel.handle());
        let readiness = readiness.map_err(|source| failed("epoll_ctl", source))?;
        Ok(AsyncCompChannel { channel, readiness })
    }

    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &CompChannel {
        &self.channel
    }

    /// As [`CompChannel::next_event`], but waits for one. [Arm](super::Cq::arm) a queue and poll it once more before
    /// waiting: of what is there already no event may tell.
    ///
    /// Dropping the future at any time loses no event: it only ever waits with none taken. Two tasks that wait for one
    /// channel share its events.
    ///
    /// # Errors
    ///
    /// As [`CompChannel::next_event`]; [`Error::Verb`] also: the runtime has shut down.
    #[doc(alias = "ibv_get_cq_event")]
    pub async fn next_event(&self) -> Result<CqNumber> {
        loop {
            let ready = self.readiness.ready().await;
            let mut ready = ready.map_err(|source| failed("epoll_wait", source))?;
            if let Some(number) = self.channel.next_event()? {
                return Ok(number);
            }
            // One that came after the look is not forgotten by this.
            ready.clear_ready();
        }
    }
}

fn failed(operation: &'static str, source: std::io::Error) -> Error {
    Error::Verb {
        operation,
        object: String::from("on a completion channel"),
        source,
        hint: String::new(),
    }
}
