//! Taking completions.

use super::super::buf::Buf;
use super::super::cq::Completion;
use super::super::ffi;
use super::super::flight::{NotInFlight, NotNext};
use super::super::wr_id::Queue;
use super::{Health, Posted, QpHandle};

/// Work that is over.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(crate) buf: Buf,
    pub(crate) token: u64,
    pub(crate) queue: Queue,
    pub(crate) opcode: u32,
    pub(crate) status: u32,
    pub(crate) vendor_error: u32,
}

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
        let (Posted { buf, token }, own) = self.flight.sends.retire_towards(seq)?;
        let wc = completion.wc();
        // Unsignalled sends before it were done: had one failed, it would have a completion of its
        // own.
        let (mut status, mut vendor_error, mut opcode) = (ffi::WC_SUCCESS, 0, ffi::WC_SEND);
        if own {
            (status, vendor_error, opcode) = (wc.status, wc.vendor_err, wc.opcode);
            completion.use_up();
        }
        Ok(Retired {
            buf,
            token,
            queue: Queue::Send,
            opcode,
            status,
            vendor_error,
        })
    }

    #[inline]
    fn complete_recv(
        &mut self,
        seq: u32,
        completion: &mut Completion<'_>,
    ) -> Result<Retired, NotInFlight> {
        let wc = completion.wc();
        // More bytes than the buffer has: whatever this completion is, it is not of this buffer.
        let fits = |posted: &mut Posted| {
            wc.status != ffi::WC_SUCCESS || posted.buf.try_set_len(wc.byte_len)
        };
        let Posted { buf, token } = self.flight.recvs.retire(seq, fits)?;
        let (status, vendor_error, opcode) = (wc.status, wc.vendor_err, wc.opcode);
        completion.use_up();
        Ok(Retired {
            buf,
            token,
            queue: Queue::Recv,
            opcode,
            status,
            vendor_error,
        })
    }
}
