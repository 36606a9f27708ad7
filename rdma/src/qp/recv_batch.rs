//! Several receives with one doorbell.

use std::marker::PhantomData;

use super::batch::BatchRejected;
use super::done::post_error;
use super::{Qp, QpType, Qpn, Queue, Receives, Rejected};
use crate::mr::Bufs;
use crate::sys::{BatchRefused, RecvStaging};

/// Receives that are posted together, in their order, with one ring of the doorbell.
///
/// [`post`](Self::post) posts them. Dropping the batch posts nothing, and returns the buffers to
/// their regions.
///
/// ```no_run
/// # use netprims_rdma::{Error, Mr, Qp, Rc, Rts};
/// # fn f(qp: &mut Qp<Rc, Rts>, memory: &Mr) -> Result<(), Error> {
/// let mut batch = qp.recv_batch();
/// for (token, buf) in (0..16).zip(std::iter::from_fn(|| memory.take())) {
///     batch.push(buf, token)?;
/// }
/// batch.post()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it posts nothing until `post` is called"]
pub struct RecvBatch<'q, T: QpType> {
    staging: RecvStaging<'q>,
    qpn: Qpn,
    qp_type: PhantomData<T>,
}

impl<T: QpType, S: Receives> Qp<T, S> {
    /// Begins a batch of receives, which are posted together.
    ///
    /// The first one of a queue pair allocates the room for the longest one.
    pub fn recv_batch(&mut self) -> RecvBatch<'_, T> {
        let qpn = self.number();
        RecvBatch {
            staging: self.handle.stage_recvs(),
            qpn,
            qp_type: PhantomData,
        }
    }
}

impl<T: QpType> RecvBatch<'_, T> {
    /// Adds a receive into the whole of the buffers, as [`Qp::post_recv`] posts it.
    ///
    /// # Errors
    ///
    /// As [`Qp::post_recv`], but for what only posting shows.
    pub fn push(&mut self, bufs: impl Into<Bufs>, token: u64) -> Result<(), Rejected> {
        let pushed = self.staging.push(bufs.into(), token);
        pushed.map_err(|refused| Rejected::new(refused, Queue::Recv, self.qpn.number()))
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
    /// [`Error::Verb`](crate::Error::Verb) (the first of those others was refused),
    /// [`Error::QueueBlocked`](crate::Error::QueueBlocked), or
    /// [`Error::PostUncertain`](crate::Error::PostUncertain) (all may have been queued).
    #[doc(alias = "ibv_post_recv")]
    pub fn post(self) -> Result<(), BatchRejected> {
        let qpn = self.qpn.number();
        self.staging.post().map_err(|refused| {
            let BatchRefused { why, posted, rest } = refused;
            BatchRejected {
                error: post_error(why, Queue::Recv, qpn),
                posted,
                rest,
            }
        })
    }
}
