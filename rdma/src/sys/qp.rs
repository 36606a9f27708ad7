//! Queue pairs, and the buffers they own.

use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::buf::Buf;
use super::cq::{Completion, CqHandle, Room};
#[cfg(test)]
use super::defect::{Defect, seeded};
use super::errno::Errno;
use super::ffi::{self, mask};
use super::flight::{MAX_DEPTH, NotInFlight, RecvFlight, SendFlight};
use super::modify::Modify;
use super::pd::PdHandle;
use super::room::NoRoom;
use super::tag::TagLease;
use super::wr_id::{Queue, Tag, WrId};

/// How many work requests each queue may have in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depths {
    pub(crate) send: u32,
    pub(crate) recv: u32,
}

/// Why there is no queue pair.
#[derive(Debug)]
pub(crate) enum CreateError {
    /// A queue deeper than the crate supports.
    TooDeep(Queue),
    /// The CQ for this queue belongs to another open device.
    OtherContext(Queue),
    /// The CQ for this queue has not enough entries left.
    NoRoom(Queue, NoRoom),
    /// 2^31 - 1 queue pairs are alive or not yet forgotten.
    NoTag,
    /// The library refused.
    Errno(Errno),
}

/// Whether more may be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nothing bad was seen.
    Good,
    /// Something failed: the device has the queue pair in the error state, or is told so. What is
    /// posted comes back flushed; what would be posted now might never come back.
    Failed,
    /// A completion arrived that fits nothing in flight: the accounts of this queue pair are not to
    /// be trusted, and its buffers are never freed.
    Poisoned,
}

/// Why a post did not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Full {
        depth: u32,
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

/// What the library says about a queue pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QpSnapshot {
    pub(crate) state: u32,
    pub(crate) path_mtu: u32,
    pub(crate) dest_qpn: u32,
    pub(crate) max_send_wr: u32,
    pub(crate) max_recv_wr: u32,
    pub(crate) max_inline: u32,
}

/// A buffer in flight and the caller's number for it.
#[derive(Debug)]
struct Posted {
    buf: Buf,
    token: u64,
}

/// The buffers that the device may be using.
#[derive(Debug)]
struct Flight {
    sends: SendFlight<Posted>,
    recvs: RecvFlight<Posted>,
}

/// A reliable-connected queue pair.
///
/// # Invariants
///
/// - `raw` exists in `pd` while `rooms` is `Some`, and is destroyed once, by [`end`](Self::end).
/// - `post_send` and `post_recv` are those of its context.
/// - Every buffer named by a work request whose completion was not taken is in `flight`. `flight`
///   is dropped only after `destroy_qp` returned `Ok`, and not at all when the queue pair is
///   poisoned.
/// - `tag` is no other queue pair's while a completion of this one may be anywhere.
#[derive(Debug)]
pub(crate) struct QpHandle {
    raw: NonNull<ffi::Qp>,
    post_send: ffi::PostSend,
    post_recv: ffi::PostRecv,
    tag: Tag,
    health: Health,
    number: u32,
    /// Unsignalled sends since the last signalled one.
    unsignalled: u32,
    flight: ManuallyDrop<Flight>,
    pd: Arc<PdHandle>,
    lease: Arc<TagLease>,
    rooms: Option<[Room; 2]>,
}

// SAFETY: verbs and the post functions may be called from any thread (promise 2 of `Verbs`); the
// buffers are `Send`.
unsafe impl Send for QpHandle {}
// SAFETY: as above; through `&self` there is only `modify` and `query`.
unsafe impl Sync for QpHandle {}

impl QpHandle {
    pub(crate) fn create(
        pd: &Arc<PdHandle>,
        send_cq: &Arc<CqHandle>,
        recv_cq: &Arc<CqHandle>,
        depths: Depths,
    ) -> Result<Self, CreateError> {
        let context = pd.context();
        for (queue, cq, depth) in [
            (Queue::Send, send_cq, depths.send),
            (Queue::Recv, recv_cq, depths.recv),
        ] {
            if depth > MAX_DEPTH {
                return Err(CreateError::TooDeep(queue));
            }
            if !Arc::ptr_eq(cq.context(), context) {
                return Err(CreateError::OtherContext(queue));
            }
        }
        let missing = || CreateError::Errno(Errno::new(libc::EOPNOTSUPP));
        let post_send = context.post_send().ok_or_else(missing)?;
        let post_recv = context.post_recv().ok_or_else(missing)?;
        let room = |cq: &Arc<CqHandle>, queue, depth| {
            cq.reserve(depth)
                .map_err(|no_room| CreateError::NoRoom(queue, no_room))
        };
        let rooms = [
            room(send_cq, Queue::Send, depths.send)?,
            room(recv_cq, Queue::Recv, depths.recv)?,
        ];
        let lease = TagLease::take().ok_or(CreateError::NoTag)?;
        #[cfg(test)]
        let lease = super::defect::reused_tag().map_or(lease, TagLease::again);
        let mut attr = ffi::QpInitAttr {
            qp_context: ptr::null_mut(),
            send_cq: send_cq.raw().as_ptr(),
            recv_cq: recv_cq.raw().as_ptr(),
            srq: ptr::null_mut(),
            cap: ffi::QpCap {
                // Some providers refuse a queue of depth 0; the table of depth 0 refuses every
                // post.
                max_send_wr: depths.send.max(1),
                max_recv_wr: depths.recv.max(1),
                max_send_sge: 1,
                max_recv_sge: 1,
                max_inline_data: 0,
            },
            qp_type: ffi::QPT_RC,
            sq_sig_all: 0,
        };
        // SAFETY: a `PdHandle` is allocated; the CQs exist, and in the same context (checked
        // above).
        let raw = unsafe { context.verbs().create_qp(pd.raw(), &mut attr) }
            .map_err(CreateError::Errno)?;
        // SAFETY: just created, so its fields may be read.
        let number = unsafe { (*raw.as_ptr()).qp_num };
        Ok(QpHandle {
            raw,
            post_send,
            post_recv,
            tag: lease.tag(),
            health: Health::Good,
            number,
            unsignalled: 0,
            flight: ManuallyDrop::new(Flight {
                sends: SendFlight::new(depths.send),
                recvs: RecvFlight::new(depths.recv),
            }),
            pd: Arc::clone(pd),
            lease,
            rooms: Some(rooms),
        })
    }

    pub(crate) fn pd(&self) -> &Arc<PdHandle> {
        &self.pd
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn health(&self) -> Health {
        self.health
    }

    /// How many work requests a queue has in flight, and how many it may have.
    pub(crate) fn in_flight(&self, queue: Queue) -> (u32, u32) {
        match queue {
            Queue::Send => (self.flight.sends.len(), self.flight.sends.depth()),
            Queue::Recv => (self.flight.recvs.len(), self.flight.recvs.depth()),
        }
    }

    pub(crate) fn modify(&self, step: Modify) -> Result<(), Errno> {
        let (mut attr, mask) = step.attr();
        // SAFETY: the QP exists (invariant: `rooms` is `Some` outside of `end`).
        unsafe {
            self.pd
                .context()
                .verbs()
                .modify_qp(self.raw, &mut attr, mask)
        }
    }

    pub(crate) fn query(&self) -> Result<QpSnapshot, Errno> {
        let mut attr = ffi::QpAttr::default();
        // SAFETY: pointers and integers: zero is a valid value.
        let mut init: ffi::QpInitAttr = unsafe { mem::zeroed() };
        let wanted = mask::STATE | mask::PATH_MTU | mask::DEST_QPN | mask::CAP;
        let verbs = self.pd.context().verbs();
        // SAFETY: the QP exists (invariant).
        unsafe { verbs.query_qp(self.raw, &mut attr, wanted, &mut init) }?;
        Ok(QpSnapshot {
            state: attr.qp_state,
            path_mtu: attr.path_mtu,
            dest_qpn: attr.dest_qp_num,
            max_send_wr: init.cap.max_send_wr,
            max_recv_wr: init.cap.max_recv_wr,
            max_inline: init.cap.max_inline_data,
        })
    }

    /// Posts one SEND of the bytes that `buf` shows.
    #[inline]
    pub(crate) fn post_send(
        &mut self,
        buf: Buf,
        token: u64,
        signalled: bool,
    ) -> Result<(), Refused> {
        let (buf, seq) = self.admit(buf, Queue::Send)?;
        // A queue full of unsignalled sends would never move again.
        let signalled = signalled || self.unsignalled + 1 >= self.flight.sends.depth();
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
        if let Err(posted) = self.flight.sends.push(Posted { buf, token }) {
            return Err(self.full(Queue::Send, posted.buf));
        }
        self.unsignalled = if signalled { 0 } else { self.unsignalled + 1 };
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
        Refused {
            why: Why::Full {
                depth: self.in_flight(queue).1,
            },
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

    /// Tells the device to flush everything.
    fn fail(&mut self) {
        self.health = Health::Failed;
        // If even this fails, the buffers come back when the QP is destroyed.
        let _ = self.modify(Modify::Err);
    }

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

    /// Destroys the QP and says how that went; buffers in flight go back to their regions.
    pub(crate) fn close(mut self) -> Result<(), Errno> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Errno> {
        let Some(rooms) = self.rooms.take() else {
            return Ok(());
        };
        // SAFETY: exists until here: `rooms` was `Some` (invariant). The crate fetches no async
        // events, so none is unacknowledged.
        let destroyed = unsafe { self.pd.context().verbs().destroy_qp(self.raw) };
        if destroyed.is_err() {
            // The device may go on: buffers, CQs, domain and tag stay as they are, for ever.
            mem::forget((rooms, Arc::clone(&self.pd), Arc::clone(&self.lease)));
            return destroyed;
        }
        #[cfg(test)]
        super::defect::offer_tag(self.tag);
        for room in rooms {
            room.retire(&self.lease);
        }
        if self.health != Health::Poisoned {
            // SAFETY: not dropped before (`rooms` was `Some`) and not used after (`rooms` is
            // `None`). The device is done with the buffers (promise 5 of `Verbs`).
            unsafe { ManuallyDrop::drop(&mut self.flight) };
        }
        Ok(())
    }
}

impl Drop for QpHandle {
    fn drop(&mut self) {
        // The error is what `close` is for.
        let _ = self.end();
    }
}
