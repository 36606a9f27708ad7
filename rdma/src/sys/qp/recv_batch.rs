//! Several receives with one doorbell.

use std::mem;
use std::ptr;

use super::super::bufs::Bufs;
#[cfg(test)]
use super::super::defect::{Defect, seeded};
use super::super::errno::Errno;
use super::super::ffi;
use super::super::recv_stage;
use super::super::wr_id::{Queue, WrId};
use super::{BatchRefused, Posted, QpHandle, Refused, Why, refused};

/// Receives that are posted together. Dropping it posts nothing, and returns the buffers to their
/// regions.
#[derive(Debug)]
pub(crate) struct RecvStaging<'q> {
    qp: &'q mut QpHandle,
}

impl QpHandle {
    /// Begins a batch of receives.
    pub(crate) fn stage_recvs(&mut self) -> RecvStaging<'_> {
        // What a forgotten batch left behind was never posted.
        self.recv_stage.clear();
        self.recv_stage.reserve(self.flight.recvs.depth());
        RecvStaging { qp: self }
    }
}

impl RecvStaging<'_> {
    /// Adds a receive into the whole of `bufs`.
    pub(crate) fn push(&mut self, bufs: Bufs, token: u64) -> Result<(), Refused> {
        let bufs = self.qp.admit(bufs, self.qp.max_recv_pieces)?;
        let depth = self.qp.flight.recvs.depth();
        let room = depth - self.qp.flight.recvs.len();
        let stage = &mut self.qp.recv_stage;
        if u32::try_from(stage.entries.len()).map_or(true, |ahead| ahead >= room) {
            return Err(refused(Why::Full { depth }, bufs));
        }
        stage.push(bufs, token);
        Ok(())
    }

    /// How many receives it has.
    pub(crate) fn len(&self) -> usize {
        self.qp.recv_stage.entries.len()
    }

    /// Posts them all, with one call. What finds its slot taken stops it: the oldest receives may not
    /// have come back although later ones have.
    pub(crate) fn post(self) -> Result<(), BatchRefused> {
        let qp = &mut *self.qp;
        let mut stage = mem::take(&mut qp.recv_stage);
        let mut element = stage.pieces.as_mut_ptr();
        let mut pushed = 0;
        let mut rest = Vec::new();
        for ((posted, pieces), request) in stage.entries.drain(..).zip(&mut stage.requests) {
            let seq = match qp.flight.recvs.next_seq() {
                Some(seq) if rest.is_empty() => seq,
                _ => {
                    rest.push((posted.bufs, posted.token));
                    continue;
                }
            };
            let (tag, queue) = (qp.tag, Queue::Recv);
            request.wr_id = WrId { tag, queue, seq }.encode();
            if pieces > 0 {
                request.sg_list = element;
                // SAFETY: the elements of all entries lie one behind the other in `pieces`.
                element = unsafe { element.add(pieces) };
            }
            // Before the call: from its first instruction on, the device may use the buffers.
            match qp.flight.recvs.push(posted) {
                Ok(()) => pushed += 1,
                Err(posted) => rest.push((posted.bufs, posted.token)),
            }
        }
        // Only those that are in flight.
        stage.requests.truncate(pushed);
        let result = qp.ring_recvs(&mut stage.requests);
        stage.clear();
        qp.recv_stage = stage;
        match result {
            Ok(()) if rest.is_empty() => Ok(()),
            Ok(()) => Err(BatchRefused {
                why: qp.full(Queue::Recv, Bufs::None).why,
                posted: pushed,
                rest,
            }),
            Err(mut refused) => {
                refused.rest.append(&mut rest);
                Err(refused)
            }
        }
    }
}

impl Drop for RecvStaging<'_> {
    fn drop(&mut self) {
        self.qp.recv_stage.clear();
    }
}

impl QpHandle {
    /// Posts receives whose buffers are in flight, the last ones there, in this order.
    fn ring_recvs(&mut self, requests: &mut [ffi::RecvWr]) -> Result<(), BatchRefused> {
        let next = recv_stage::link(requests);
        if next.is_null() {
            return Ok(());
        }
        let mut bad = ptr::null_mut();
        // SAFETY: the QP exists; the requests, of which `next` is the first and which end with the last
        // one, and their elements outlive the call, which does not keep them (promise 3 of `Verbs`); the
        // elements name the whole of buffers that are in `flight`.
        let result = unsafe { (self.post_recv)(self.raw.as_ptr(), next, &mut bad) };
        if result == 0 {
            return Ok(());
        }
        let errno = Errno::from_return(result);
        let count = requests.len();
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
        let posted = match seeded(Defect::HandBackAcceptedReceives) {
            true => 0,
            false => posted,
        };
        // From the one it points at on, nothing was queued.
        let mut rest: Vec<_> = (posted..count)
            .filter_map(|_| self.flight.recvs.undo_push())
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
