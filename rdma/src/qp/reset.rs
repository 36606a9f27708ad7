//! Starting again.

use super::create::no_room;
use super::{Failed, Qp, QpType, Queue, Reset, State};
use crate::error::Error;
use crate::mr::Bufs;
use crate::sys::ResetError;

/// The memory of a request that was in flight when its queue pair was reset. Nobody knows whether it
/// was done.
#[derive(Debug)]
#[must_use = "it holds buffers"]
#[non_exhaustive]
pub struct Returned {
    /// The buffers.
    pub bufs: Bufs,
    /// The number that was given when posting.
    pub token: u64,
    /// The queue it was posted to.
    pub queue: Queue,
}

/// A queue pair in its first state, and what was in flight.
pub type WasReset<T> = (Qp<T, Reset>, Vec<Returned>);

impl<T: QpType, S: State> Qp<T, S> {
    /// Takes the queue pair back to its first state, whatever happened to it, and hands back what was
    /// in flight: sends before receives, each in the order they were posted. There are no completions
    /// for it; those that were not polled yet are dropped like those of a destroyed queue pair.
    ///
    /// The peer is not told, and must be connected anew.
    ///
    /// # Errors
    ///
    /// With the queue pair as it was:
    ///
    /// - [`Error::CqFull`]: until its completion queues have been polled empty, they must have room
    ///   for the queue pair twice.
    /// - [`Error::QpPoisoned`]: nobody knows which of its buffers the device still uses.
    /// - [`Error::Verb`].
    #[doc(alias = "IBV_QPS_RESET")]
    pub fn reset(mut self) -> Result<WasReset<T>, Failed<Qp<T, S>>> {
        match self.handle.reset() {
            Ok(returned) => {
                let returned = returned.into_iter().map(|(queue, bufs, token)| Returned {
                    bufs,
                    token,
                    queue,
                });
                let returned = returned.collect();
                self.port = None;
                Ok((self.into_state(), returned))
            }
            Err(error) => {
                let qpn = self.handle.number();
                let error = match error {
                    ResetError::Poisoned => Error::QpPoisoned { qpn },
                    ResetError::NoRoom(queue, room) => no_room(queue, room),
                    ResetError::NoTag => Error::TooManyQps,
                    ResetError::Errno(errno) => self.step_failed("to Reset", errno, String::new()),
                };
                Err(Failed::new(error, self))
            }
        }
    }
}
