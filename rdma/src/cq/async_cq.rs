//! Completion queues in a tokio runtime.

use tokio::task::coop::consume_budget;

use super::{Arm, AsyncCompChannel, Completions, Cq};
use crate::error::{Error, Result};

/// A completion queue in a tokio runtime, which is waited for without blocking the thread.
///
/// What is in flight is the queue pair's, and what was polled and not taken is the completion queue's. So a future that
/// is dropped at any point, as by a timeout or `select!`, loses no completion and frees no buffer: the next one goes on
/// where it stopped.
///
/// ```no_run
/// # use netprims_rdma::{AsyncCq, Context, Error, Qp, Rc, Rts};
/// # async fn f(context: &Context, mut qp: Qp<Rc, Rts>) -> Result<(), Error> {
/// let mut cq = AsyncCq::new(context.create_cq_with_events(16)?)?;
/// // ... queue pairs are created on `cq.cq()` ...
/// loop {
///     for mut completion in cq.poll().await? {
///         while let Some(done) = qp.complete(&mut completion)? {
///             println!("{} {}: {}", done.queue, done.token, done.status);
///         }
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncCq {
    cq: Cq,
    channel: AsyncCompChannel,
    /// An event was asked for and not taken.
    is_armed: bool,
}

impl AsyncCq {
    /// Registers the channel of the completion queue with the runtime. The channel must be its own, as
    /// [`create_cq_with_events`](crate::Context::create_cq_with_events) makes it: what waits here takes all its events.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in one whose I/O is not enabled, as tokio's own types do.
    ///
    /// # Errors
    ///
    /// The completion queue is dropped then.
    ///
    /// - [`Error::NoChannel`].
    /// - [`Error::Verb`]: the runtime's epoll cannot take another descriptor, or has this one (EEXIST): the channel is
    ///   shared.
    pub fn new(cq: Cq) -> Result<Self> {
        let channel = cq.channel().ok_or(Error::NoChannel)?;
        Ok(AsyncCq {
            channel: AsyncCompChannel::new(channel)?,
            cq,
            // Whoever had it before may have left something.
            is_armed: true,
        })
    }

    /// The completion queue, to create queue pairs on.
    #[must_use]
    pub fn cq(&self) -> &Cq {
        &self.cq
    }

    /// The completion queue, out of the runtime.
    #[must_use]
    pub fn into_inner(self) -> Cq {
        self.cq
    }

    /// As [`Cq::poll`], but waits until there is a completion.
    ///
    /// # Errors
    ///
    /// As [`Cq::poll`] and [`Cq::arm`]; [`Error::Verb`] also: the runtime has shut down.
    #[doc(alias = "ibv_req_notify_cq")]
    pub async fn poll(&mut self) -> Result<Completions<'_>> {
        // A queue that always has something must let other tasks run.
        consume_budget().await;
        while !self.cq.fetches()? {
            // Of all the events that were asked for, only one is left to be told.
            if self.is_armed {
                self.take_events()?;
            }
            self.cq.arm(Arm::Any)?;
            self.is_armed = true;
            // One that came before it was asked for says nothing.
            if self.cq.fetches()? {
                break;
            }
            self.channel.next_event().await?;
            self.is_armed = false;
        }
        self.cq.poll()
    }

    fn take_events(&self) -> Result<()> {
        while self.channel.channel().next_event()?.is_some() {}
        Ok(())
    }
}
