//! Shared receive queues.

use std::fmt;
use std::sync::Arc;

use crate::cq::Completion;
use crate::error::{Error, Result};
use crate::mr::Bufs;
use crate::pd::Pd;
use crate::qp::{BatchRejected, Done, Kind, Queue, Rejected, creation_error, post_error};
use crate::sys::{Health, SharedQueue, SrqHandle, SrqStaging, Unclaimed, Why};

/// A queue of receives that several queue pairs take theirs from.
///
/// One value posts to it and takes its completions, whichever queue pair they came by. Buffers posted
/// belong to it until [`complete`](Self::complete) gives them back; those that a queue pair had begun
/// to use when it was destroyed stay until the shared queue is gone.
///
/// # Drop
///
/// It ends when the last queue pair on it does. Then the buffers in flight return to their
/// [`Mr`](crate::Mr)s.
#[doc(alias = "ibv_srq")]
pub struct Srq {
    handle: SrqHandle,
}

impl Pd {
    /// Creates a shared receive queue for `depth` receives in flight, of at most `pieces` buffers each.
    ///
    /// # Errors
    ///
    /// - [`Error::OutOfRange`]: deeper than 2^24, or requests of 0 or more than 1024 buffers.
    /// - [`Error::Verb`]; EINVAL or ENOMEM: more than the device can.
    #[doc(alias = "ibv_create_srq")]
    pub fn create_srq(&self, depth: u32, pieces: u32) -> Result<Srq> {
        SrqHandle::create(self.handle(), depth, pieces)
            .map(|handle| Srq { handle })
            .map_err(|error| {
                let object = format!("for {depth} receives of {pieces} buffers");
                let device = self.handle().context().device();
                let (depths, pieces) = ((0, depth), (0, pieces));
                creation_error(error, "ibv_create_srq", &object, device, depths, pieces)
            })
    }
}

impl Srq {
    pub(crate) fn handle(&self) -> &SrqHandle {
        &self.handle
    }

    pub(crate) fn shared(&self) -> &Arc<SharedQueue> {
        self.handle.shared()
    }

    /// Posts the whole of the buffers, however much they show, for one message to any of the queue
    /// pairs. `token` is the caller's own number; it comes back with the completion.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the buffers unless the device may have them: [`Error::QueueFull`],
    /// [`Error::TooManyBufs`], [`Error::OtherPd`], [`Error::SrqFailed`], [`Error::Verb`] (certainly
    /// not queued), [`Error::PostUncertain`] (possibly queued; nothing more can be posted).
    #[doc(alias = "ibv_post_srq_recv")]
    #[inline]
    pub fn post_recv(&mut self, bufs: impl Into<Bufs>, token: u64) -> Result<(), Rejected> {
        self.handle
            .post_recv(bufs.into(), token)
            .map_err(|refused| Rejected {
                error: post_failed(refused.why),
                bufs: refused.bufs,
            })
    }

    /// Begins a batch of receives, which are posted together, with one ring of the doorbell.
    ///
    /// The first one allocates the room for the longest one.
    pub fn recv_batch(&mut self) -> SrqBatch<'_> {
        SrqBatch {
            staging: self.handle.stage(),
        }
    }

    /// Takes the receive that `completion` stands for; `None` when it was taken before.
    ///
    /// # Errors
    ///
    /// - [`Error::OtherSrq`]: the completion is not this queue's; [`owns`](Self::owns) asks without an
    ///   error.
    /// - [`Error::SrqFailed`]: it fits nothing in flight.
    #[inline]
    pub fn complete(&mut self, completion: &mut Completion<'_>) -> Result<Option<Done>> {
        match self.handle.complete(completion) {
            Ok(retired) => Ok(retired.map(|retired| Done::new(retired, Kind::RC))),
            Err(Unclaimed::Other) => Err(Error::OtherSrq),
            Err(Unclaimed::Poisoned | Unclaimed::Early) => Err(Error::SrqFailed),
        }
    }

    /// Whether the completion is of a receive posted here.
    #[must_use]
    #[inline]
    pub fn owns(&self, completion: &Completion<'_>) -> bool {
        self.handle.owns(completion)
    }

    /// How many receives are in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.handle.in_flight().0
    }

    /// How many receives may be in flight.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.handle.in_flight().1
    }

    /// Whether a failure was seen, after which nothing can be posted.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.handle.health() != Health::Good
    }
}

/// Receives of a shared queue that are posted together, in their order, with one ring of the doorbell.
///
/// [`post`](Self::post) posts them. Dropping the batch posts nothing, and returns the buffers to
/// their regions.
#[derive(Debug)]
#[must_use = "it posts nothing until `post` is called"]
pub struct SrqBatch<'q> {
    staging: SrqStaging<'q>,
}

impl SrqBatch<'_> {
    /// Adds a receive into the whole of the buffers, as [`Srq::post_recv`] posts it.
    ///
    /// # Errors
    ///
    /// As [`Srq::post_recv`], but for what only posting shows.
    pub fn push(&mut self, bufs: impl Into<Bufs>, token: u64) -> Result<(), Rejected> {
        self.staging
            .push(bufs.into(), token)
            .map_err(|refused| Rejected {
                error: post_failed(refused.why),
                bufs: refused.bufs,
            })
    }

    /// How many receives it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.staging.len()
    }

    /// Whether it has no receives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.staging.len() == 0
    }

    /// Posts the receives.
    ///
    /// # Errors
    ///
    /// [`BatchRejected`]: how many were posted, and the buffers of the others, with
    /// [`Error::Verb`] (the first of those others was refused) or [`Error::PostUncertain`] (all may
    /// have been queued; nothing more can be posted).
    #[doc(alias = "ibv_post_srq_recv")]
    pub fn post(self) -> Result<(), BatchRejected> {
        self.staging.post().map_err(|refused| BatchRejected {
            error: post_failed(refused.why),
            posted: refused.posted,
            rest: refused.rest,
        })
    }
}

fn post_failed(why: Why) -> Error {
    match post_error(why, Queue::Recv, 0) {
        Error::QpFailed { .. } | Error::QpPoisoned { .. } => Error::SrqFailed,
        error => error,
    }
}

impl fmt::Debug for Srq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Srq")
            .field("in_flight", &self.in_flight())
            .field("depth", &self.depth())
            .finish_non_exhaustive()
    }
}
