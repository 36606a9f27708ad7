//! Posting what `ibv_post_send` does not know.

use std::ptr::NonNull;

use super::super::bufs::Bufs;
use super::super::context::ContextHandle;
#[cfg(test)]
use super::super::defect::{Defect, seeded};
use super::super::errno::Errno;
use super::super::ffi;
use super::super::work_ex::{ExtendedKind, ExtendedOps, ExtendedWork};
use super::super::wr_id::Queue;
use super::{Health, Posted, QpHandle, Why};

/// The extended side of a queue pair.
///
/// # Invariants
///
/// - `raw` is the queue pair it belongs to, which outlives it, and nothing else writes to the fields
///   that requests are begun with.
/// - The functions are those of `raw`. `atomic_write` and `flush` are `Some` only if it was made for
///   that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extended {
    raw: NonNull<ffi::QpEx>,
    start: ffi::WrStart,
    complete: ffi::WrComplete,
    atomic_write: Option<ffi::WrAtomicWrite>,
    flush: Option<ffi::WrFlush>,
}

impl Extended {
    /// `None` if the provider did not make what it was asked for.
    ///
    /// # Safety
    /// `qp` was just made in `context` by `create_qp_ex`, for `ops`.
    pub(super) unsafe fn of(
        context: &ContextHandle,
        qp: NonNull<ffi::Qp>,
        ops: ExtendedOps,
    ) -> Option<Self> {
        // SAFETY: it was just made.
        let raw = unsafe { context.verbs().qp_to_qp_ex(qp) }?;
        let ex = raw.as_ptr();
        // SAFETY: every extended QP has it, whichever library it is of.
        let start = unsafe { (*ex).wr_start }?;
        // SAFETY: as above.
        let complete = unsafe { (*ex).wr_complete }?;
        // A library that does not know the operation has a shorter struct; but then its providers
        // refuse to make such a QP.
        let atomic_write = match ops.atomic_write {
            // SAFETY: the provider has made a QP for it, so its struct reaches so far.
            true => Some(unsafe { (*ex).wr_atomic_write }?),
            false => None,
        };
        let flush = match ops.flush {
            // SAFETY: as above.
            true => Some(unsafe { (*ex.cast::<ffi::QpEx45>()).wr_flush }?),
            false => None,
        };
        Some(Extended {
            raw,
            start,
            complete,
            atomic_write,
            flush,
        })
    }

    /// Whether it was made for this work.
    fn has(&self, kind: &ExtendedKind) -> bool {
        match kind {
            ExtendedKind::AtomicWrite { .. } => self.atomic_write.is_some(),
            ExtendedKind::Flush { .. } => self.flush.is_some(),
        }
    }

    /// Hands one request to the device, and says what the last call returned.
    ///
    /// # Safety
    /// The queue pair exists, and the caller has it exclusively.
    unsafe fn post(&self, work: &ExtendedWork, wr_id: u64, flags: u32) -> i32 {
        let qp = self.raw.as_ptr();
        // SAFETY: the QP exists.
        unsafe { (self.start)(qp) };
        // SAFETY: as above; nobody else writes to it.
        unsafe { (*qp).wr_id = wr_id };
        // SAFETY: as above.
        unsafe { (*qp).wr_flags = flags };
        match work.kind {
            ExtendedKind::AtomicWrite { at, value } => {
                if let Some(atomic_write) = self.atomic_write {
                    let bytes = (&raw const value).cast();
                    // SAFETY: the QP exists and a request is begun; the eight bytes are read during
                    // the call only (promise 3 of `Verbs`).
                    unsafe { atomic_write(qp, at.rkey, at.addr, bytes) };
                }
            }
            ExtendedKind::Flush {
                at,
                len,
                placement,
                level,
            } => {
                if let Some(flush) = self.flush {
                    // SAFETY: the QP exists and a request is begun.
                    unsafe { flush(qp, at.rkey, at.addr, len, placement, level) };
                }
            }
        }
        // SAFETY: the QP exists; the request was begun above, by this thread.
        unsafe { (self.complete)(qp) }
    }
}

impl ExtendedKind {
    /// Why it cannot be done: C takes a longer flush, but there are 32 bits for it on the wire.
    fn refused(&self) -> Option<Why> {
        let most = u32::MAX;
        match self {
            ExtendedKind::Flush { len, .. } if u32::try_from(*len).is_err() => {
                let (len, least) = (*len, 0);
                Some(Why::OtherLength { len, least, most })
            }
            _ => None,
        }
    }
}

impl QpHandle {
    /// Posts one request that only extended queue pairs know.
    pub(crate) fn post_extended(&mut self, work: &ExtendedWork, token: u64) -> Result<(), Why> {
        if self.health != Health::Good {
            return Err(Why::Unhealthy(self.health));
        }
        let extended = self.extended.filter(|extended| extended.has(&work.kind));
        let Some(extended) = extended else {
            return Err(Why::NotMadeFor);
        };
        if let Some(why) = work.kind.refused() {
            return Err(why);
        }
        let Some(seq) = self.flight.sends.next_seq() else {
            return Err(self.full(Queue::Send, Bufs::None).why);
        };
        let signalled = work.is_signalled() || self.flight.sends.must_signal();
        let signal = if signalled {
            ffi::send_flag::SIGNALED
        } else {
            0
        };
        let id = self.send_id(seq).encode();
        let posted = Posted::new(Bufs::None, token);
        if let Err(posted) = self.flight.sends.push(posted, signalled) {
            return Err(self.full(Queue::Send, posted.bufs).why);
        }
        // SAFETY: the QP exists (invariant), and `&mut self` has it exclusively.
        let result = unsafe { extended.post(work, id, work.flags() | signal) };
        if result == 0 {
            return Ok(());
        }
        #[cfg(test)]
        if seeded(Defect::ForgetAFailedExtendedPost) {
            let _ = self.flight.sends.undo_push();
            return Err(Why::Uncertain(Errno::from_return(result)));
        }
        // Nothing says whether the request is queued: the doorbell may be what failed.
        self.fail();
        Err(Why::Uncertain(Errno::from_return(result)))
    }
}
