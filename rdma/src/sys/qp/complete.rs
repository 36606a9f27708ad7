//! Taking completions.

use std::mem;

use super::super::buf::Buf;
use super::super::cq::Completion;
use super::super::ffi;
use super::super::flight::NotInFlight;
use super::super::wr_id::Queue;
use super::{Health, Posted, QpHandle};

/// Work that is over.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(crate) buf: Buf,
    pub(crate) token: u64,
    pub(crate) queue: Queue,
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
        let retired = match id.queue {
            Queue::Send => self.complete_send(id.seq, completion),
            Queue::Recv => self.complete_recv(id.seq, completion),
        };
        match retired {
            Ok(retired) => {
                if retired.status != ffi::WC_SUCCESS {
                    self.health = Health::Failed;
                }
                Ok(Some(retired))
            }
            Err(NotInFlight) => Err(self.poison()),
        }
    }

    #[inline]
    fn complete_send(
        &mut self,
        seq: u32,
        completion: &mut Completion<'_>,
    ) -> Result<Retired, NotInFlight> {
        let (Posted { buf, token }, own) = self.flight.sends.retire_towards(seq)?;
        let (mut status, mut vendor_error) = (ffi::WC_SUCCESS, 0);
        if own {
            completion.use_up();
            (status, vendor_error) = (completion.wc().status, completion.wc().vendor_err);
        }
        Ok(Retired {
            buf,
            token,
            queue: Queue::Send,
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
        let Posted { mut buf, token } = self.flight.recvs.retire(seq)?;
        completion.use_up();
        let wc = completion.wc();
        if wc.status == ffi::WC_SUCCESS && !buf.try_set_len(wc.byte_len) {
            // More bytes than the buffer has: whatever this completion is, it is not of this
            // buffer.
            mem::forget(buf);
            return Err(NotInFlight);
        }
        let (status, vendor_error) = (wc.status, wc.vendor_err);
        Ok(Retired {
            buf,
            token,
            queue: Queue::Recv,
            status,
            vendor_error,
        })
    }
}
