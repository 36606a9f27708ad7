//! Taking completions.

use super::super::bufs::Bufs;
use super::super::cq::Completion;
use super::super::ffi;
use super::super::flight::{Flying, NotInFlight, NotNext};
use super::super::wr_id::Queue;
use super::{Health, Posted, QpHandle};

/// Work that is over.
#[derive(Debug)]
pub(crate) struct Retired<'cq> {
    pub(crate) bufs: Bufs,
    pub(crate) token: u64,
    pub(crate) queue: Queue,
    /// What the driver says of it.
    pub(crate) wc: &'cq ffi::Wc,
}

/// What stands for a driver's word on an unsignalled send that was done.
static DONE: ffi::Wc = ffi::Wc {
    status: ffi::WC_SUCCESS,
    opcode: ffi::WC_SEND,
    ..ffi::Wc::NOTHING
};

/// A completion that this queue pair does not take.
///
/// As wide as what it is returned instead of, so that the compiler does not take that apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Unclaimed {
    /// It is another queue pair's.
    Other,
    /// It fits nothing in flight, or one before it did not.
    Poisoned,
    /// One before it was not handed in. It can still be, and then this one.
    Early,
}

impl QpHandle {
    #[cold]
    fn poison(&mut self) -> Unclaimed {
        self.fail();
        self.health = Health::Poisoned;
        Unclaimed::Poisoned
    }

    #[inline]
    pub(crate) fn owns(&self, completion: &Completion<'_>) -> bool {
        completion.is_of(self.tag)
    }

    /// Takes the next piece of work that `completion` stands for: earlier unsignalled sends first.
    /// `None` when it stands for nothing more.
    ///
    /// Inlined where it is used, so that of what a completion tells only that is moved which somebody looks at.
    #[inline(always)]
    pub(crate) fn complete<'cq>(
        &mut self,
        completion: &mut Completion<'cq>,
    ) -> Result<Option<Retired<'cq>>, Unclaimed> {
        if completion.used() {
            return Ok(None);
        }
        if !completion.is_of(self.tag) {
            return Err(Unclaimed::Other);
        }
        if self.health == Health::Poisoned {
            return Err(Unclaimed::Poisoned);
        }
        let (queue, seq, wc) = (completion.queue(), completion.seq(), completion.wc());
        // Before its buffers come out, one at a time: nothing may be posted in between.
        if wc.status != ffi::WC_SUCCESS && self.health == Health::Good {
            self.health = Health::Failed;
        }
        let due = match queue {
            Queue::Send => self.flight.sends.retire_towards(seq),
            Queue::Recv => match self.flight.recvs.retire(seq, |posted| posted.receives(wc)) {
                Ok(slot) => Ok((slot, true)),
                Err(NotInFlight) => Err(NotNext::NotInFlight),
            },
        };
        let (slot, own) = match due {
            Ok(due) => due,
            Err(NotNext::Missing) => return Err(Unclaimed::Early),
            Err(NotNext::NotInFlight) => return Err(self.poison()),
        };
        let Some(Flying { item, .. }) = slot.take() else {
            // Not reached: what is in flight is in its slot.
            return Err(self.poison());
        };
        let Posted {
            bufs,
            token,
            _region: region,
        } = item;
        drop(region);
        if own {
            completion.use_up();
        }
        Ok(Some(Retired {
            bufs,
            token,
            queue,
            // Unsignalled sends before it were done: had one failed, it would have a completion of its
            // own.
            wc: if own { wc } else { &DONE },
        }))
    }
}

impl Posted {
    /// Shows what a receive brought; `false` when it cannot be what was posted.
    #[inline]
    pub(in crate::sys) fn receives(&mut self, wc: &ffi::Wc) -> bool {
        // A remote write with immediate data fills no buffer, however long it is. Otherwise, more
        // bytes than the buffers have: whatever this completion is, it is not of these.
        let len = match wc.opcode {
            ffi::WC_RECV_RDMA_WITH_IMM => 0,
            _ => wc.byte_len,
        };
        wc.status != ffi::WC_SUCCESS || self.bufs.try_set_len(len)
    }
}
