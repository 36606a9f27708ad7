//! Taking completions.

use super::super::bufs::Bufs;
use super::super::cq::Completion;
use super::super::ffi;
use super::super::flight::{NotInFlight, NotNext};
use super::super::wr_id::Queue;
use super::{Health, Posted, QpHandle};

/// Work that is over.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(crate) bufs: Bufs,
    pub(crate) token: u64,
    pub(crate) queue: Queue,
    /// What the driver says of it.
    pub(crate) wc: ffi::Wc,
}

/// What stands for a driver's word on an unsignalled send that was done.
const DONE: ffi::Wc = ffi::Wc {
    status: ffi::WC_SUCCESS,
    opcode: ffi::WC_SEND,
    ..ffi::Wc::NOTHING
};

/// A completion that this queue pair does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        completion.id().is_some_and(|id| id.tag == self.tag)
    }

    /// Takes the next piece of work that `completion` stands for: earlier unsignalled sends first.
    /// `None` when it stands for nothing more.
    #[inline]
    pub(crate) fn complete(
        &mut self,
        completion: &mut Completion<'_>,
    ) -> Result<Option<Retired>, Unclaimed> {
        if completion.used() {
            return Ok(None);
        }
        let id = completion
            .id()
            .filter(|id| id.tag == self.tag)
            .ok_or(Unclaimed::Other)?;
        if self.health == Health::Poisoned {
            return Err(Unclaimed::Poisoned);
        }
        // Before its buffers come out, one at a time: nothing may be posted in between.
        if completion.wc().status != ffi::WC_SUCCESS && self.health == Health::Good {
            self.health = Health::Failed;
        }
        let retired = match id.queue {
            Queue::Send => self.complete_send(id.seq, completion),
            Queue::Recv => self
                .complete_recv(id.seq, completion)
                .map_err(|NotInFlight| NotNext::NotInFlight),
        };
        match retired {
            Ok(retired) => Ok(Some(retired)),
            Err(NotNext::Missing) => Err(Unclaimed::Early),
            Err(NotNext::NotInFlight) => Err(self.poison()),
        }
    }

    #[inline]
    fn complete_send(
        &mut self,
        seq: u32,
        completion: &mut Completion<'_>,
    ) -> Result<Retired, NotNext> {
        let (Posted { bufs, token, .. }, own) = self.flight.sends.retire_towards(seq)?;
        // Unsignalled sends before it were done: had one failed, it would have a completion of its
        // own.
        let wc = if own {
            completion.use_up();
            *completion.wc()
        } else {
            DONE
        };
        Ok(Retired {
            bufs,
            token,
            queue: Queue::Send,
            wc,
        })
    }

    #[inline]
    fn complete_recv(
        &mut self,
        seq: u32,
        completion: &mut Completion<'_>,
    ) -> Result<Retired, NotInFlight> {
        let wc = *completion.wc();
        let fits = |posted: &mut Posted| posted.receives(&wc);
        let Posted { bufs, token, .. } = self.flight.recvs.retire(seq, fits)?;
        completion.use_up();
        Ok(Retired {
            bufs,
            token,
            queue: Queue::Recv,
            wc,
        })
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
