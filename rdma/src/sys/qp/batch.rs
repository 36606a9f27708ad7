//! Several sends with one doorbell.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem;
use std::ptr;
use std::sync::Arc;

use super::super::buf::Buf;
use super::super::bufs::{Bufs, Payload};
#[cfg(test)]
use super::super::defect::{Defect, seeded};
use super::super::errno::Errno;
use super::super::exposed::{ExposedPart, ExposedRegion};
use super::super::ffi::{self, send_flag};
use super::super::work::Work;
use super::post::{inline_element, refused};
use super::{Posted, QpHandle, Refused, Why};

/// What a queue pair gathers batches in; made by the first one, with room for the whole queue.
#[derive(Debug, Default)]
pub(super) struct Stage {
    entries: Vec<Staged>,
    /// The same requests, for C. Their elements are linked to when the batch is posted.
    requests: Vec<ffi::SendWr>,
    pieces: Vec<ffi::Sge>,
}

/// A request that is not posted yet.
#[derive(Debug)]
struct Staged {
    posted: Posted,
    signalled: bool,
    /// How many of `pieces` are its own.
    pieces: usize,
}

// SAFETY: the pointers in `requests` are looked at only between a batch's beginning and its end,
// which borrows what they point to.
unsafe impl Send for Stage {}
// SAFETY: through `&self` nothing is done with them.
unsafe impl Sync for Stage {}

impl Stage {
    fn clear(&mut self) {
        self.entries.clear();
        self.requests.clear();
        self.pieces.clear();
    }
}

/// Sends that are posted together. Dropping it posts nothing, and returns the buffers to their
/// regions.
///
/// # Invariants
///
/// `requests` in the stage are those that were staged by this batch: what they name exists for
/// `'a`, or is owned by `entries`. Each has an entry, in the same order.
#[derive(Debug)]
pub(crate) struct Staging<'q, 'a> {
    qp: &'q mut QpHandle,
    borrowed: PhantomData<&'a [u8]>,
}

/// What became of a batch that did not go through as a whole.
#[derive(Debug)]
pub(crate) struct BatchRefused {
    pub(crate) why: Why,
    /// How many, from the first one on, were posted, or may have been.
    pub(crate) posted: usize,
    /// The buffers of the others, in their order, with their tokens.
    pub(crate) rest: Vec<(Bufs, u64)>,
}

impl QpHandle {
    /// Begins a batch.
    pub(crate) fn stage<'a>(&mut self) -> Staging<'_, 'a> {
        // What a forgotten batch left behind was never posted.
        self.stage.clear();
        let depth = usize::try_from(self.flight.sends.depth()).unwrap_or(0);
        self.stage.entries.reserve(depth);
        self.stage.requests.reserve(depth);
        self.stage.pieces.reserve(depth);
        Staging {
            qp: self,
            borrowed: PhantomData,
        }
    }
}

impl<'a> Staging<'_, 'a> {
    /// Adds a request.
    ///
    /// Inlined as posting one is.
    #[inline(always)]
    pub(crate) fn push(
        &mut self,
        work: Work<'a>,
        payload: Payload<'a>,
        token: u64,
    ) -> Result<(), Refused> {
        match payload {
            Payload::Bufs(bufs) => self.push_piece(work, bufs, None, token, 0),
            Payload::Exposed(part) => self.push_part(work, part, token),
            Payload::Inline(bytes) => self.push_inline(work, bytes, token),
        }
    }

    fn push_part(
        &mut self,
        work: Work<'a>,
        part: ExposedPart<'a>,
        token: u64,
    ) -> Result<(), Refused> {
        if let Some(why) = self.qp.refuses_part(&part) {
            return Err(refused(why, Bufs::None));
        }
        let piece = Some((part.element(), Some(part.region())));
        self.push_piece(work, Bufs::None, piece, token, 0)
    }

    fn push_inline(&mut self, work: Work<'a>, bytes: &'a [u8], token: u64) -> Result<(), Refused> {
        if let Some(why) = self.qp.refuses_inline(bytes) {
            return Err(refused(why, Bufs::None));
        }
        let piece = Some((inline_element(bytes), None));
        self.push_piece(work, Bufs::None, piece, token, send_flag::INLINE)
    }

    /// Adds a request of buffers, or of something else in one piece.
    #[inline(always)]
    fn push_piece(
        &mut self,
        work: Work<'a>,
        bufs: Bufs,
        other: Option<(ffi::Sge, Option<Arc<ExposedRegion>>)>,
        token: u64,
        flags: u32,
    ) -> Result<(), Refused> {
        let other_len = other.as_ref().map_or(0, |(element, _)| element.length);
        let len = bufs.shown_len_short().max(other_len);
        let Some(head) = self.qp.admitted(&work, &bufs, len) else {
            let other_len = usize::try_from(other_len).unwrap_or(usize::MAX);
            return Err(self.qp.refuse_send(work, bufs, other_len));
        };
        let ahead = u32::try_from(self.qp.stage.entries.len()).unwrap_or(u32::MAX);
        let sends = &self.qp.flight.sends;
        if ahead >= sends.depth() - sends.len() {
            let depth = sends.depth();
            return Err(refused(Why::Full { depth }, bufs));
        }
        self.qp.keep_destination(head.wrapping_add(ahead), &work);
        let stage = &mut self.qp.stage;
        let before = stage.pieces.len();
        match &bufs {
            Bufs::One(buf) => stage.pieces.push(buf.shown()),
            bufs => stage.pieces.extend(bufs.as_slice().iter().map(Buf::shown)),
        }
        let mut _region = None;
        if let Some((element, region)) = other {
            stage.pieces.push(element);
            _region = region;
        }
        let pieces = stage.pieces.len() - before;
        let count = c_int::try_from(pieces).unwrap_or(0);
        stage
            .requests
            .push(work.request(0, (ptr::null_mut(), count), flags));
        stage.entries.push(Staged {
            posted: Posted {
                bufs,
                _region,
                token,
            },
            signalled: work.is_signalled(),
            pieces,
        });
        Ok(())
    }

    /// How many requests it has.
    pub(crate) fn len(&self) -> usize {
        self.qp.stage.entries.len()
    }

    /// Posts them all, with one call.
    pub(crate) fn post(self) -> Result<(), BatchRefused> {
        let qp = &mut *self.qp;
        let mut stage = mem::take(&mut qp.stage);
        let mut element = stage.pieces.as_mut_ptr();
        let mut pushed = 0;
        for (staged, request) in stage.entries.drain(..).zip(&mut stage.requests) {
            // There is room: `push` has counted.
            let Some(seq) = qp.flight.sends.next_seq() else {
                break;
            };
            let signalled = staged.signalled || qp.flight.sends.must_signal();
            if signalled {
                request.send_flags |= send_flag::SIGNALED;
            }
            request.wr_id = qp.send_id(seq).encode();
            if staged.pieces > 0 {
                request.sg_list = element;
                // SAFETY: the elements of all entries lie one behind the other in `pieces`.
                element = unsafe { element.add(staged.pieces) };
            }
            #[cfg(test)]
            let staged = Staged {
                posted: staged.posted.with_defects(),
                ..staged
            };
            // Before the call: from its first instruction on, the device may use the buffers.
            if qp.flight.sends.push(staged.posted, signalled).is_err() {
                break;
            }
            pushed += 1;
        }
        // Only those that are in flight.
        stage.requests.truncate(pushed);
        let result = qp.ring(&mut stage.requests);
        stage.clear();
        qp.stage = stage;
        result
    }
}

impl Drop for Staging<'_, '_> {
    fn drop(&mut self) {
        self.qp.stage.clear();
    }
}

/// Makes each request point to the next one, and returns the first; null if there is none.
fn link(requests: &mut [ffi::SendWr]) -> *mut ffi::SendWr {
    let mut next = ptr::null_mut();
    for request in requests.iter_mut().rev() {
        request.next = next;
        next = ptr::from_mut(request);
    }
    next
}

impl QpHandle {
    /// Posts requests whose buffers are in flight, the last ones there, in this order.
    fn ring(&mut self, requests: &mut [ffi::SendWr]) -> Result<(), BatchRefused> {
        let count = requests.len();
        let first = link(requests);
        if first.is_null() {
            return Ok(());
        }
        let mut bad = ptr::null_mut();
        // SAFETY: as in `post_send`, for each request of the list, which ends with the last one.
        let result = unsafe { (self.post_send)(self.raw.as_ptr(), first, &mut bad) };
        if result == 0 {
            return Ok(());
        }
        let errno = Errno::from_return(result);
        let named = requests.iter().position(|request| ptr::eq(request, bad));
        let Some(posted) = named else {
            self.fail();
            return Err(BatchRefused {
                why: Why::Uncertain(errno),
                posted: count,
                rest: Vec::new(),
            });
        };
        #[cfg(test)]
        let posted = match seeded(Defect::HandBackAcceptedOfABatch) {
            true => 0,
            false => posted,
        };
        // From the one it points at on, nothing was queued.
        let mut rest: Vec<_> = (posted..count)
            .filter_map(|_| self.flight.sends.undo_push())
            .map(|Posted { bufs, token, .. }| (bufs, token))
            .collect();
        rest.reverse();
        Err(BatchRefused {
            why: Why::Refused(errno),
            posted,
            rest,
        })
    }
}
