//! Several receives of a shared queue with one doorbell.

use std::mem;
use std::ptr;

use super::bufs::Bufs;
#[cfg(test)]
use super::defect::{Defect, seeded};
use super::errno::Errno;
use super::ffi;
use super::qp::{BatchRefused, Health, Posted, Refused, Why, refused};
use super::recv_stage;
use super::srq::SrqHandle;
use super::wr_id::{Queue, WrId};

/// Receives that are posted together. Dropping it posts nothing, and returns the buffers to their
/// regions.
#[derive(Debug)]
pub(crate) struct SrqStaging<'q> {
    srq: &'q mut SrqHandle,
}

impl SrqHandle {
    /// Begins a batch.
    pub(crate) fn stage(&mut self) -> SrqStaging<'_> {
        // What a forgotten batch left behind was never posted.
        self.stage.clear();
        self.stage.reserve(self.flight.places());
        SrqStaging { srq: self }
    }
}

impl SrqStaging<'_> {
    /// Adds a receive into the whole of `bufs`.
    pub(crate) fn push(&mut self, bufs: Bufs, token: u64) -> Result<(), Refused> {
        let srq = &mut *self.srq;
        if let Some(why) = srq.refuses(&bufs) {
            return Err(refused(why, bufs));
        }
        let depth = srq.flight.places();
        let room = depth - srq.flight.len();
        if u32::try_from(srq.stage.entries.len()).map_or(true, |ahead| ahead >= room) {
            return Err(refused(Why::Full { depth }, bufs));
        }
        srq.stage.push(bufs, token);
        Ok(())
    }

    /// How many receives it has.
    pub(crate) fn len(&self) -> usize {
        self.srq.stage.entries.len()
    }

    /// Posts them all, with one call.
    pub(crate) fn post(self) -> Result<(), BatchRefused> {
        let srq = &mut *self.srq;
        let mut stage = mem::take(&mut srq.stage);
        let mut element = stage.pieces.as_mut_ptr();
        let mut put = 0;
        for ((posted, pieces), request) in stage.entries.drain(..).zip(&mut stage.requests) {
            // Before the call: from its first instruction on, the device may use the buffers. There
            // is room: `push` has counted.
            let Ok(seq) = srq.flight.put(posted) else {
                break;
            };
            let (tag, queue) = (srq.tag, Queue::Recv);
            request.wr_id = WrId { tag, queue, seq }.encode();
            if pieces > 0 {
                request.sg_list = element;
                // SAFETY: the elements of all entries lie one behind the other in `pieces`.
                element = unsafe { element.add(pieces) };
            }
            put += 1;
        }
        // Only those that are in flight.
        stage.requests.truncate(put);
        let result = srq.ring(&mut stage.requests);
        stage.clear();
        srq.stage = stage;
        result
    }
}

impl Drop for SrqStaging<'_> {
    fn drop(&mut self) {
        self.srq.stage.clear();
    }
}

impl SrqHandle {
    /// Posts receives whose buffers are in flight, in this order.
    fn ring(&mut self, requests: &mut [ffi::RecvWr]) -> Result<(), BatchRefused> {
        let first = recv_stage::link(requests);
        if first.is_null() {
            return Ok(());
        }
        let mut bad = ptr::null_mut();
        // SAFETY: the queue exists; the requests, of which `first` is the first and which end with the
        // last one, and their elements outlive the call, which does not keep them (promise 3 of
        // `Verbs`); the elements name the whole of buffers that are in `flight`.
        let result = unsafe { (self.post)(self.shared().raw().as_ptr(), first, &mut bad) };
        if result == 0 {
            return Ok(());
        }
        let errno = Errno::from_return(result);
        let count = requests.len();
        let named = requests.iter().position(|request| ptr::eq(request, bad));
        let Some(posted) = named else {
            self.health = Health::Failed;
            return Err(BatchRefused {
                why: Why::Uncertain(errno),
                posted: count,
                rest: Vec::new(),
            });
        };
        #[cfg(test)]
        let from = match seeded(Defect::HandBackAcceptedReceives) {
            true => 0,
            false => posted,
        };
        #[cfg(not(test))]
        let from = posted;
        // From the one it points at on, nothing was queued.
        let unposted = requests.iter().skip(from);
        let rest = unposted.filter_map(|request| {
            let seq = WrId::decode(request.wr_id)?.seq;
            let Posted { bufs, token, .. } = self.flight.take(seq, |_| true).ok()?;
            Some((bufs, token))
        });
        Err(BatchRefused {
            why: Why::Refused(errno),
            posted,
            rest: rest.collect(),
        })
    }
}
