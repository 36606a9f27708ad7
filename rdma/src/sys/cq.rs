//! Completion queues.

use std::ffi::c_int;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::ContextHandle;
use super::errno::Errno;
use super::ffi;
use super::room::{Ledger, NoRoom};
use super::tag::TagLease;
use super::wr_id::WrId;

/// How many completions one poll fetches at most.
const BATCH: usize = 16;
/// The same number, for C.
const BATCH_INT: c_int = 16;

/// A completion queue.
///
/// # Invariants
///
/// `raw` exists in `context` and is destroyed once, by `Drop`; queue pairs on it hold an `Arc` of
/// this (in their [`Room`]s). `poll` is the context's `ops.poll_cq`.
#[derive(Debug)]
pub(crate) struct CqHandle {
    context: Arc<ContextHandle>,
    raw: NonNull<ffi::Cq>,
    poll: ffi::PollCq,
    ledger: Mutex<Ledger>,
    /// The epoch of the newest retired queue pair.
    retired: AtomicU64,
}

// SAFETY: verbs, `poll` among them, may be called from any thread (promise 2 of `Verbs`).
unsafe impl Send for CqHandle {}
// SAFETY: as above.
unsafe impl Sync for CqHandle {}

impl CqHandle {
    fn create(context: &Arc<ContextHandle>, capacity: u32) -> Result<Arc<Self>, Errno> {
        let poll = context.poll_cq().ok_or(Errno::new(libc::EOPNOTSUPP))?;
        let entries = c_int::try_from(capacity).map_err(|_| Errno::new(libc::EINVAL))?;
        // SAFETY: a `ContextHandle` is open.
        let raw = unsafe { context.verbs().create_cq(context.raw(), entries) }?;
        let ledger = Mutex::new(Ledger::new(capacity));
        let (context, retired) = (Arc::clone(context), AtomicU64::new(0));
        Ok(Arc::new(CqHandle {
            context,
            raw,
            poll,
            ledger,
            retired,
        }))
    }

    pub(crate) fn context(&self) -> &Arc<ContextHandle> {
        &self.context
    }

    pub(super) fn raw(&self) -> NonNull<ffi::Cq> {
        self.raw
    }

    /// Promises `entries` of the queue.
    pub(super) fn reserve(self: &Arc<Self>, entries: u32) -> Result<Room, NoRoom> {
        self.ledger().reserve(entries)?;
        Ok(Room {
            cq: Arc::clone(self),
            entries,
        })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn reserved(&self) -> u32 {
        self.ledger().reserved()
    }
}

impl Drop for CqHandle {
    fn drop(&mut self) {
        // SAFETY: exists until here (invariant). No completion channel is attached, and the crate
        // fetches no async events, so none is unacknowledged.
        let result = unsafe { self.context.verbs().destroy_cq(self.raw) };
        if result.is_err() {
            // The CQ is still there, so its context must not be closed.
            mem::forget(Arc::clone(&self.context));
        }
    }
}

/// Entries of a CQ promised to one queue pair; keeps the CQ alive.
#[derive(Debug)]
pub(super) struct Room {
    cq: Arc<CqHandle>,
    entries: u32,
}

impl Room {
    /// Ends the promise of a queue pair that is destroyed: the entries and the tag become free when
    /// a later poll has emptied the CQ.
    pub(super) fn retire(mut self, tag: &Arc<TagLease>) {
        let entries = mem::take(&mut self.entries);
        let mut ledger = self.cq.ledger();
        let epoch = ledger.retire(entries, Arc::clone(tag));
        // Under the lock, so that the numbers are stored in order.
        self.cq.retired.store(epoch, Ordering::Release);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Not zero only when no queue pair came of it.
        if self.entries > 0 {
            self.cq.ledger().cancel(self.entries);
        }
    }
}

/// The one place that polls a CQ.
///
/// # Invariants
///
/// No other poller has the same `cq`: when a poll finds the queue empty, no completion of it is
/// anywhere.
#[derive(Debug)]
pub(crate) struct Poller {
    cq: Arc<CqHandle>,
    /// Everything retired up to this epoch is settled.
    settled: u64,
    batch: Box<[ffi::Wc; BATCH]>,
}

impl Poller {
    pub(crate) fn create(context: &Arc<ContextHandle>, capacity: u32) -> Result<Self, Errno> {
        let cq = CqHandle::create(context, capacity)?;
        Ok(Poller {
            cq,
            settled: 0,
            batch: Box::new([ffi::Wc::default(); BATCH]),
        })
    }

    pub(crate) fn cq(&self) -> &Arc<CqHandle> {
        &self.cq
    }

    /// Fetches what is there, up to a batch.
    #[inline]
    pub(crate) fn poll(&mut self) -> Result<Completions<'_>, Errno> {
        // Before the poll: a queue pair retired after this line may have completions that the poll
        // does not see.
        let retired = self.cq.retired.load(Ordering::Acquire);
        // SAFETY: the CQ exists, and `batch` has room for the number of entries asked for (promise
        // 3 of `Verbs`).
        let got =
            unsafe { (self.cq.poll)(self.cq.raw.as_ptr(), BATCH_INT, self.batch.as_mut_ptr()) };
        let Ok(count) = usize::try_from(got) else {
            return Err(Errno::from_return(got));
        };
        if count < BATCH && retired != self.settled {
            self.cq.ledger().settle(retired);
            self.settled = retired;
        }
        let batch = self.batch.get(..count).ok_or(Errno::new(libc::EOVERFLOW))?;
        Ok(Completions { rest: batch.iter() })
    }
}

/// The completions that one poll fetched.
///
/// Each belongs to the queue pair that posted the work: hand it to
/// [`Qp::complete`](crate::Qp::complete), or the buffer stays with the queue pair until that is
/// destroyed.
#[derive(Debug)]
#[must_use = "completions hold the way back to the buffers"]
pub struct Completions<'cq> {
    rest: slice::Iter<'cq, ffi::Wc>,
}

impl<'cq> Iterator for Completions<'cq> {
    type Item = Completion<'cq>;

    #[inline]
    fn next(&mut self) -> Option<Completion<'cq>> {
        self.rest.next().map(|wc| Completion::new(*wc))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Completions<'_> {}

/// Word from the device that a piece of work is over.
///
/// It cannot outlive the batch it came with: by the next poll, everything in it is history, and a
/// new queue pair may bear the old one's number.
#[must_use = "hand it to its queue pair, which gives the buffer back"]
pub struct Completion<'cq> {
    wc: ffi::Wc,
    id: Option<WrId>,
    used: bool,
    batch: PhantomData<&'cq mut ()>,
}

impl Completion<'_> {
    #[inline]
    fn new(wc: ffi::Wc) -> Self {
        Completion {
            id: WrId::decode(wc.wr_id),
            wc,
            used: false,
            batch: PhantomData,
        }
    }

    #[inline]
    pub(super) fn id(&self) -> Option<WrId> {
        self.id
    }

    /// Whether its queue pair has taken everything it stands for.
    #[inline]
    pub(super) fn used(&self) -> bool {
        self.used
    }

    #[inline]
    pub(super) fn use_up(&mut self) {
        self.used = true;
    }

    #[inline]
    pub(super) fn wc(&self) -> &ffi::Wc {
        &self.wc
    }

    /// The queue pair number the driver wrote; the number of a destroyed queue pair may come up
    /// again.
    #[must_use]
    pub fn qp_number(&self) -> u32 {
        self.wc.qp_num
    }
}

impl fmt::Debug for Completion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("id", &self.id)
            .field("status", &self.wc.status)
            .field("qp_number", &self.wc.qp_num)
            .finish_non_exhaustive()
    }
}
