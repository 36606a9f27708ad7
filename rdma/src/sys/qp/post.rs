//! Posting work.

use std::ptr;
use std::sync::Arc;

use super::super::buf::Buf;
#[cfg(test)]
use super::super::defect::{Defect, seeded};
use super::super::errno::Errno;
use super::super::ffi;
use super::super::wr_id::{Queue, WrId};
use super::{Flight, Health, Posted, QpHandle};

/// Why a post did not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// As many in flight as there may be.
    Full {
        depth: u32,
    },
    /// Not full, but the oldest receive has not come back, and all after it have.
    Blocked {
        in_flight: u32,
    },
    /// A send of more bytes than the port can carry.
    TooLong {
        len: usize,
        max: u32,
    },
    OtherPd,
    Unhealthy(Health),
    /// The library refused this very request, and named it: it was not queued.
    Refused(Errno),
    /// The library failed and did not say what was queued.
    Uncertain(Errno),
}

/// A post that did not go through.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) why: Why,
    /// `None`: the device may have it. It comes back by a completion, or when the queue pair ends.
    pub(crate) buf: Option<Buf>,
}

impl QpHandle {
    /// Posts one SEND of the bytes that `buf` shows.
    #[inline]
    pub(crate) fn post_send(
        &mut self,
        buf: Buf,
        token: u64,
        signalled: bool,
    ) -> Result<(), Refused> {
        let (buf, seq) = self.admit(buf, Queue::Send)?;
        if buf.shown_len() > self.max_message {
            let (len, max) = (buf.len(), self.max_message);
            let (why, buf) = (Why::TooLong { len, max }, Some(buf));
            return Err(Refused { why, buf });
        }
        let signalled = signalled || self.flight.sends.must_signal();
        let mut sge = buf.shown();
        let flags = if signalled { ffi::SEND_SIGNALED } else { 0 };
        let id = WrId {
            tag: self.tag,
            queue: Queue::Send,
            seq,
        };
        let mut wr = ffi::SendWr::send(id.encode(), &mut sge, flags);
        let mut bad = ptr::null_mut();
        // Before the call: from its first instruction on, the device may use the buffer.
        if let Err(posted) = self.flight.sends.push(Posted { buf, token }, signalled) {
            return Err(self.full(Queue::Send, posted.buf));
        }
        // SAFETY: the QP exists; `wr` and the `sge` it points to outlive the call, which does not
        // keep them (promise 3 of `Verbs`); the bytes that `sge` names belong to the buffer just
        // put in `flight`, where it stays until the device is done with it.
        let result = unsafe { (self.post_send)(self.raw.as_ptr(), &mut wr, &mut bad) };
        if result == 0 {
            return Ok(());
        }
        let ours = ptr::eq(bad, &wr);
        let undo = |flight: &mut Flight| flight.sends.undo_push();
        Err(self.failed_post(Errno::from_return(result), ours, undo))
    }

    /// Posts the whole of `buf` to receive into.
    #[inline]
    pub(crate) fn post_recv(&mut self, buf: Buf, token: u64) -> Result<(), Refused> {
        let (buf, seq) = self.admit(buf, Queue::Recv)?;
        let mut sge = buf.whole();
        let id = WrId {
            tag: self.tag,
            queue: Queue::Recv,
            seq,
        };
        let mut wr = ffi::RecvWr::new(id.encode(), &mut sge);
        let mut bad = ptr::null_mut();
        #[cfg(test)]
        if seeded(Defect::FreeAtPost) {
            // SAFETY: the bug under test; the copy is dropped at once and no bytes are looked at.
            drop(unsafe { buf.alias() });
        }
        if let Err(posted) = self.flight.recvs.push(Posted { buf, token }) {
            return Err(self.full(Queue::Recv, posted.buf));
        }
        // SAFETY: as in `post_send`.
        let result = unsafe { (self.post_recv)(self.raw.as_ptr(), &mut wr, &mut bad) };
        if result == 0 {
            return Ok(());
        }
        let ours = ptr::eq(bad, &wr);
        let undo = |flight: &mut Flight| flight.recvs.undo_push();
        Err(self.failed_post(Errno::from_return(result), ours, undo))
    }

    /// What must hold before anything is queued, and the sequence number it will have.
    #[inline]
    fn admit(&mut self, buf: Buf, queue: Queue) -> Result<(Buf, u32), Refused> {
        if self.health != Health::Good {
            return Err(Refused {
                why: Why::Unhealthy(self.health),
                buf: Some(buf),
            });
        }
        // Keys are per device: with another domain's, the NIC would reach other memory.
        if !Arc::ptr_eq(buf.pd(), &self.pd) {
            return Err(Refused {
                why: Why::OtherPd,
                buf: Some(buf),
            });
        }
        let seq = match queue {
            Queue::Send => self.flight.sends.next_seq(),
            Queue::Recv => self.flight.recvs.next_seq(),
        };
        match seq {
            Some(seq) => Ok((buf, seq)),
            None => Err(self.full(queue, buf)),
        }
    }

    #[cold]
    fn full(&self, queue: Queue, buf: Buf) -> Refused {
        let (in_flight, depth) = self.in_flight(queue);
        let why = if in_flight < depth {
            Why::Blocked { in_flight }
        } else {
            Why::Full { depth }
        };
        Refused {
            why,
            buf: Some(buf),
        }
    }

    /// Decides about a post that returned an error. Only a request that the library pointed at was
    /// certainly not queued: Soft-RoCE, for one, may return EINVAL and execute the request later.
    #[cold]
    fn failed_post(
        &mut self,
        errno: Errno,
        ours: bool,
        undo: impl FnOnce(&mut Flight) -> Option<Posted>,
    ) -> Refused {
        #[cfg(test)]
        let ours = ours || seeded(Defect::HandBackAfterFailedPost);
        if ours {
            let buf = undo(&mut self.flight).map(|posted| posted.buf);
            return Refused {
                why: Why::Refused(errno),
                buf,
            };
        }
        self.fail();
        Refused {
            why: Why::Uncertain(errno),
            buf: None,
        }
    }
}
