//! Completion queues.

use std::ffi::c_int;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::channel::{ChannelHandle, CqNumber};
use super::context::ContextHandle;
use super::cq_ex::{self, CqFields, CreateCqError, ExtendedBatch, ExtendedPoll};
use super::errno::{Errno, check};
use super::ffi;
use super::leaks::{Leak, leaked};
use super::room::{Ledger, NoRoom};
use super::tag::TagLease;
use super::wr_id::{Queue, Tag, WrId};

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
    notify: Option<ffi::ReqNotifyCq>,
    number: CqNumber,
    channel: Option<Arc<ChannelHandle>>,
    ledger: Mutex<Ledger>,
    /// The epoch of the newest retired queue pair.
    retired: AtomicU64,
    /// How many completions it can hold, to be on the safe side.
    size: u32,
    /// What the poll returned that failed; 0 when none did.
    failed: AtomicI32,
}

// SAFETY: verbs, `poll` among them, may be called from any thread (promise 2 of `Verbs`).
unsafe impl Send for CqHandle {}
// SAFETY: as above.
unsafe impl Sync for CqHandle {}

impl CqHandle {
    fn create(
        context: &Arc<ContextHandle>,
        capacity: u32,
        channel: Option<&Arc<ChannelHandle>>,
        fields: Option<CqFields>,
    ) -> Result<(Arc<Self>, Option<ExtendedPoll>), CreateCqError> {
        let errno = |number| CreateCqError::Errno(Errno::new(number));
        let poll = context.poll_cq().ok_or(errno(libc::EOPNOTSUPP))?;
        let entries = c_int::try_from(capacity).map_err(|_| errno(libc::EINVAL))?;
        let number = CqNumber::next();
        let channel = channel.filter(|channel| channel.is_of(context));
        let (raw, extended) = match fields {
            None => {
                let verbs = context.verbs();
                let (at, number) = (context.raw(), number.get());
                let channel = channel.map(|channel| channel.raw());
                // SAFETY: a `ContextHandle` is open; the channel exists in it, and the CQ keeps it.
                let raw = unsafe { verbs.create_cq(at, entries, channel, number) };
                (raw.map_err(CreateCqError::Errno)?, None)
            }
            Some(fields) => {
                let number = number.get();
                // SAFETY: as above.
                let made = unsafe { cq_ex::create(context, capacity, channel, number, fields) };
                made.map(|(raw, poll)| (raw, Some(poll)))?
            }
        };
        // SAFETY: just created, so its fields may be read.
        let granted = unsafe { (*raw.as_ptr()).cqe };
        let granted = u32::try_from(granted).unwrap_or(0);
        let handle = Arc::new(CqHandle {
            context: Arc::clone(context),
            raw,
            poll,
            notify: context.req_notify_cq(),
            number,
            channel: channel.map(Arc::clone),
            ledger: Mutex::new(Ledger::new(capacity.min(granted))),
            retired: AtomicU64::new(0),
            size: capacity.max(granted),
            failed: AtomicI32::new(0),
        });
        Ok((handle, extended))
    }

    pub(crate) fn context(&self) -> &Arc<ContextHandle> {
        &self.context
    }

    pub(crate) fn number(&self) -> CqNumber {
        self.number
    }

    pub(crate) fn channel(&self) -> Option<&Arc<ChannelHandle>> {
        self.channel.as_ref()
    }

    /// Asks for one event when the next completion comes, or the next solicited one.
    pub(crate) fn arm(&self, solicited_only: bool) -> Result<(), Errno> {
        let notify = self.notify.ok_or(Errno::new(libc::EOPNOTSUPP))?;
        // SAFETY: the CQ exists (invariant); `notify` is its context's.
        check(unsafe { notify(self.raw.as_ptr(), c_int::from(solicited_only)) })
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

    /// How many entries can be promised in all.
    pub(crate) fn capacity(&self) -> u32 {
        self.ledger().capacity()
    }

    /// What a failed poll returned: nothing of this CQ is to be relied on any more.
    #[inline]
    pub(super) fn failed(&self) -> Option<c_int> {
        Some(self.failed.load(Ordering::Relaxed)).filter(|&result| result != 0)
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
        // SAFETY: exists until here (invariant). Its events of both kinds are acknowledged in the
        // call that fetches them; for one that another thread is in, the destruction waits.
        let result = unsafe { self.context.verbs().destroy_cq(self.raw) };
        if result.is_err() {
            // The CQ is still there, so its context must not be closed.
            leaked(Leak::Cq);
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
    pub(super) fn is_of(&self, cq: &Arc<CqHandle>) -> bool {
        Arc::ptr_eq(&self.cq, cq)
    }

    /// As many entries of the same CQ once more.
    pub(super) fn again(&self) -> Result<Room, NoRoom> {
        self.cq.reserve(self.entries)
    }

    /// Ends the promise of a queue pair that is destroyed: the entries and the tag become free when
    /// later polls have shown that none of its completions is left.
    pub(super) fn retire(mut self, tag: &Arc<TagLease>) {
        let entries = mem::take(&mut self.entries);
        if entries == 0 {
            // Nothing was ever posted to that queue.
            return;
        }
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
/// - No other poller has the same `cq`: what this one has not fetched is in the CQ, and what it has
///   fetched is in `batch[taken..fetched]` or in a [`Completion`], which borrows `self`.
/// - `taken <= fetched <= BATCH`.
/// - `extended` is that of `cq`.
#[derive(Debug)]
pub(crate) struct Poller {
    cq: Arc<CqHandle>,
    batch: Box<[ffi::Wc; BATCH]>,
    fetched: usize,
    taken: usize,
    /// How many completions were fetched in all.
    total: u64,
    /// Everything retired up to this epoch is settled.
    settled: u64,
    /// What is to be settled next.
    waiting: Option<Waiting>,
    /// How it is polled, if it is an extended one.
    extended: Option<Box<ExtendedBatch<BATCH>>>,
}

/// Queue pairs that were retired, and what shows that their completions are gone.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Those up to this epoch.
    epoch: u64,
    /// Once so many were fetched in all: a CQ is first in, first out, and has no more room.
    until: u64,
}

impl Poller {
    pub(crate) fn create(
        context: &Arc<ContextHandle>,
        capacity: u32,
        channel: Option<&Arc<ChannelHandle>>,
        fields: Option<CqFields>,
    ) -> Result<Self, CreateCqError> {
        let (cq, extended) = CqHandle::create(context, capacity, channel, fields)?;
        Ok(Poller {
            cq,
            extended: extended.map(|poll| Box::new(ExtendedBatch::new(poll))),
            batch: Box::new([ffi::Wc::default(); BATCH]),
            fetched: 0,
            taken: 0,
            total: 0,
            settled: 0,
            waiting: None,
        })
    }

    pub(crate) fn cq(&self) -> &Arc<CqHandle> {
        &self.cq
    }

    /// What was fetched and not taken; otherwise fetches what is there, up to a batch. The error is
    /// what a failed poll returned, then and ever after.
    #[inline(always)]
    pub(crate) fn poll(&mut self) -> Result<Completions<'_>, c_int> {
        if self.taken == self.fetched {
            self.fetch()?;
        }
        Ok(self.rest())
    }

    /// Whether nothing that was fetched is left.
    pub(crate) fn is_used_up(&self) -> bool {
        self.taken == self.fetched
    }

    /// What was fetched and not taken.
    #[inline(always)]
    fn rest(&mut self) -> Completions<'_> {
        Completions {
            batch: &self.batch,
            extended: self.extended.as_deref(),
            fetched: self.fetched,
            taken: &mut self.taken,
        }
    }

    #[inline]
    fn fetch(&mut self) -> Result<(), c_int> {
        // Whatever was fetched before is gone: the batch is used up, and no `Completion` is left,
        // since each borrows `self`.
        if let Some(failed) = self.cq.failed() {
            return Err(failed);
        }
        // Before the poll: a queue pair retired after this line may have completions that the poll
        // does not see.
        let retired = self.cq.retired.load(Ordering::Acquire);
        if retired != self.settled {
            self.settle_by_count(retired);
        }
        (self.taken, self.fetched) = (0, 0);
        if self.extended.is_some() {
            return self.fetch_extended(retired);
        }
        // SAFETY: the CQ exists, and `batch` has room for the number of entries asked for (promise
        // 3 of `Verbs`).
        let got =
            unsafe { (self.cq.poll)(self.cq.raw.as_ptr(), BATCH_INT, self.batch.as_mut_ptr()) };
        let count = usize::try_from(got).unwrap_or(usize::MAX);
        if count > BATCH {
            return Err(self.fail(got));
        }
        // Fewer than asked for would not do: some drivers return what one look found.
        if count == 0 {
            self.found_nothing(retired);
        }
        self.fetched = count;
        self.total += u64::from(got.unsigned_abs());
        Ok(())
    }

    #[inline(never)]
    fn fetch_extended(&mut self, retired: u64) -> Result<(), c_int> {
        let Some(extended) = &mut self.extended else {
            return Ok(());
        };
        let ExtendedBatch { poll, stamps } = &mut **extended;
        // SAFETY: the CQ exists, and nobody else polls it (invariants).
        let (fetched, result) = unsafe { poll.fetch(&mut *self.batch, stamps) };
        if let Err(failed) = result {
            self.cq.failed.store(failed, Ordering::Relaxed);
            if fetched == 0 {
                return Err(failed);
            }
        } else if fetched == 0 && retired != self.settled {
            self.settle(retired);
        }
        self.fetched = fetched;
        self.total += u64::try_from(fetched).unwrap_or(0);
        Ok(())
    }

    /// Nothing retired before the poll has anything left.
    #[cold]
    fn found_nothing(&mut self, retired: u64) {
        if retired != self.settled {
            self.settle(retired);
        }
    }

    #[cold]
    fn fail(&self, got: c_int) -> c_int {
        self.cq.failed.store(got, Ordering::Relaxed);
        got
    }

    /// Settles what waits once as many completions were fetched as the CQ can hold: on a busy CQ,
    /// no poll ever finds it empty.
    #[cold]
    fn settle_by_count(&mut self, retired: u64) {
        if let Some(Waiting { epoch, until }) = self.waiting {
            if self.total < until {
                return;
            }
            self.settle(epoch);
        }
        self.waiting = (retired != self.settled).then(|| Waiting {
            epoch: retired,
            until: self.total.saturating_add(u64::from(self.cq.size)),
        });
    }

    #[cold]
    fn settle(&mut self, epoch: u64) {
        self.cq.ledger().settle(epoch);
        self.settled = epoch;
        self.waiting = None;
    }
}

/// The completions that one poll fetched.
///
/// Each belongs to the queue pair that posted the work: hand it to
/// [`Qp::complete`](crate::Qp::complete) until that returns `None`. What is dropped half-way keeps
/// its buffers with the queue pair until that is destroyed. What was not taken out of this iterator
/// comes first with the next poll.
#[derive(Debug)]
#[must_use = "completions hold the way back to the buffers"]
pub struct Completions<'cq> {
    /// `taken..fetched` of these.
    batch: &'cq [ffi::Wc; BATCH],
    extended: Option<&'cq ExtendedBatch<BATCH>>,
    fetched: usize,
    taken: &'cq mut usize,
}

impl<'cq> Iterator for Completions<'cq> {
    type Item = Completion<'cq>;

    #[inline]
    fn next(&mut self) -> Option<Completion<'cq>> {
        if *self.taken >= self.fetched {
            return None;
        }
        let index = *self.taken;
        let wc = self.batch.get(index)?;
        *self.taken += 1;
        Some(Completion {
            wc,
            used: false,
            extended: self.extended,
            index,
            batch: PhantomData,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.fetched.saturating_sub(*self.taken);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Completions<'_> {}

/// Word from the device that a piece of work is over.
///
/// It cannot outlive the batch it came with: by the next poll, everything in it is history, and a
/// new queue pair may bear the old one's number.
#[must_use = "hand it to its queue pair, which gives the buffer back"]
pub struct Completion<'cq> {
    wc: &'cq ffi::Wc,
    used: bool,
    /// Where its times are, if it has any: looked up by who asks.
    extended: Option<&'cq ExtendedBatch<BATCH>>,
    index: usize,
    batch: PhantomData<&'cq mut ()>,
}

impl<'cq> Completion<'cq> {
    #[inline]
    pub(super) fn id(&self) -> Option<WrId> {
        WrId::decode(self.wc.wr_id)
    }

    /// Whether it is of work posted under this tag.
    #[inline]
    pub(super) fn is_of(&self, tag: Tag) -> bool {
        WrId::is_of(self.wc.wr_id, tag)
    }

    /// The queue, if it is of work posted here at all.
    #[inline]
    pub(super) fn queue(&self) -> Queue {
        WrId::queue_of(self.wc.wr_id)
    }

    /// The sequence number, likewise.
    #[inline]
    pub(super) fn seq(&self) -> u32 {
        WrId::seq_of(self.wc.wr_id)
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
    pub(super) fn wc(&self) -> &'cq ffi::Wc {
        self.wc
    }

    /// When it was over: in ticks of the device's clock, and in nanoseconds since 1970.
    pub(crate) fn stamps(&self) -> (Option<u64>, Option<u64>) {
        let stamp = self
            .extended
            .and_then(|extended| extended.stamps.get(self.index));
        stamp.map_or((None, None), |stamp| (stamp.ticks, stamp.wallclock))
    }

    /// `enum ibv_wc_opcode`, as the driver wrote it.
    pub(crate) fn opcode_number(&self) -> u32 {
        self.wc.opcode
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
            .field("id", &self.id())
            .field("status", &self.wc.status)
            .field("qp_number", &self.wc.qp_num)
            .finish_non_exhaustive()
    }
}
