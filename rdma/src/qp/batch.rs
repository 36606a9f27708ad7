//! Several sends with one doorbell.

use std::marker::PhantomData;

use super::done::post_error;
use super::endpoint::Qpn;
use super::{QpType, Queue, Rejected, Wr};
use crate::error::Error;
use crate::mr::Bufs;
use crate::sys::{BatchRefused, Staging};

/// Work requests that are posted together, in their order, with one ring of the doorbell.
///
/// [`post`](Self::post) posts them. Dropping the batch posts nothing, and returns the buffers to
/// their regions.
///
/// ```no_run
/// # use netprims_rdma::{Buf, Error, Qp, Rc, RemoteSlice, Rts, Wr};
/// # fn f(qp: &mut Qp<Rc, Rts>, body: Buf, there: RemoteSlice) -> Result<(), Error> {
/// let mut batch = qp.batch();
/// batch.push(Wr::write(body, there).unsignalled(), 1)?;
/// batch.push(Wr::send_inline(b"done"), 2)?;
/// batch.post()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it posts nothing until `post` is called"]
pub struct Batch<'q, 'a, T: QpType> {
    staging: Staging<'q, 'a>,
    qpn: Qpn,
    qp_type: PhantomData<T>,
}

impl<'q, 'a, T: QpType> Batch<'q, 'a, T> {
    pub(super) fn new(staging: Staging<'q, 'a>, qpn: Qpn) -> Self {
        Batch {
            staging,
            qpn,
            qp_type: PhantomData,
        }
    }

    /// Adds a request. `token` is the caller's own number; it comes back with the completion.
    ///
    /// # Errors
    ///
    /// As [`Qp::post`](super::Qp::post), but for what only posting shows.
    #[inline]
    pub fn push(&mut self, wr: Wr<'a, T>, token: u64) -> Result<(), Rejected> {
        match self.staging.push(wr.work, wr.payload, token) {
            Ok(()) => Ok(()),
            Err(refused) => Err(Rejected::new(refused, Queue::Send, self.qpn.number())),
        }
    }

    /// How many requests it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.staging.len()
    }

    /// Whether it has no requests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.staging.len() == 0
    }

    /// Posts the requests.
    ///
    /// # Errors
    ///
    /// [`BatchRejected`]: how many were posted, and the buffers of the others, with
    /// [`Error::Verb`] (the first of those others was refused) or [`Error::PostUncertain`] (all may
    /// have been queued).
    #[doc(alias = "ibv_post_send")]
    pub fn post(self) -> Result<(), BatchRejected> {
        let qpn = self.qpn.number();
        self.staging.post().map_err(|refused| {
            let BatchRefused { why, posted, rest } = refused;
            BatchRejected {
                error: post_error(why, Queue::Send, qpn),
                posted,
                rest,
            }
        })
    }
}

/// A batch that did not go through as a whole.
#[derive(Debug, thiserror::Error)]
#[error("{posted} of {} requests posted: {error}", posted + rest.len())]
#[must_use = "it may hold buffers"]
#[non_exhaustive]
pub struct BatchRejected {
    /// Why.
    pub error: Error,
    /// How many, from the first one on, were posted, or may have been.
    pub posted: usize,
    /// The buffers and tokens of the others, in their order.
    pub rest: Vec<(Bufs, u64)>,
}

impl From<BatchRejected> for Error {
    /// Drops the buffers, which returns them to their regions.
    fn from(rejected: BatchRejected) -> Self {
        rejected.error
    }
}
