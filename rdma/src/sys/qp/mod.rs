//! Queue pairs, and the buffers they own.

mod batch;
mod complete;
mod create;
mod extended;
mod groups;
mod post;
mod recv_batch;
mod reset;

use std::mem::{self, ManuallyDrop};
use std::ptr::NonNull;
use std::sync::Arc;

use super::ah::AhHandle;
use super::bufs::Bufs;
use super::cq::Room;
#[cfg(test)]
use super::defect::{Defect, seeded};
use super::errno::Errno;
use super::exposed::ExposedRegion;
use super::ffi::{self, mask};
use super::flight::{RecvFlight, SendFlight};
use super::identity::QpIdentity;
use super::leaks::{Leak, leaked};
use super::modify::Modify;
use super::pd::PdHandle;
use super::recv_stage::RecvStage;
use super::srq::SharedQueue;
use super::tag::TagLease;
use super::wr_id::{Queue, Tag};

pub(crate) use batch::{BatchRefused, Staging};
pub(crate) use complete::{Retired, Unclaimed};
pub(super) use create::MOST_PIECES;
pub(crate) use create::{Caps, CreateError};
pub(crate) use groups::{AttachError, GroupNumbers};
pub(super) use post::refused;
pub(crate) use post::{Refused, Why};
pub(crate) use recv_batch::RecvStaging;
pub(crate) use reset::ResetError;

/// A queue pair.
///
/// # Invariants
///
/// - `raw` exists in `pd` while `rooms` is `Some`, and is destroyed once, by [`end`](Self::end).
/// - `post_send` and `post_recv` are those of its context.
/// - Every buffer named by a work request whose completion was not taken is in `flight`. `flight`
///   is dropped only after `destroy_qp` returned `Ok`, and not at all when the queue pair is
///   poisoned.
/// - `destinations` has what the datagrams in flight are addressed by, under their sequence numbers
///   modulo its length, which is a power of two and no less than the send queue is deep.
/// - `extended` is of `raw`.
/// - `pieces` has room for the elements of one request.
/// - `groups` has every group that it is attached to.
/// - `tag` is no other queue pair's while a completion of this one may be anywhere.
#[derive(Debug)]
pub(crate) struct QpHandle {
    raw: NonNull<ffi::Qp>,
    post_send: ffi::PostSend,
    post_recv: ffi::PostRecv,
    tag: Tag,
    health: Health,
    number: u32,
    /// What events call it.
    identity: QpIdentity,
    /// The longest message that its port can carry, in bytes.
    max_message: u32,
    max_send_pieces: u32,
    max_recv_pieces: u32,
    max_inline: u32,
    pieces: Box<[ffi::Sge]>,
    /// Empty unless it sends datagrams.
    destinations: Box<[Option<Arc<AhHandle>>]>,
    stage: batch::Stage,
    recv_stage: RecvStage,
    extended: Option<extended::Extended>,
    /// Whose messages it receives, too.
    groups: Vec<GroupNumbers>,
    flight: ManuallyDrop<Flight>,
    pd: Arc<PdHandle>,
    lease: Arc<TagLease>,
    rooms: Option<[Room; 2]>,
    /// What it receives by, if not by itself.
    srq: Option<Arc<SharedQueue>>,
}

// SAFETY: verbs and the post functions may be called from any thread (promise 2 of `Verbs`); the
// buffers are `Send`.
unsafe impl Send for QpHandle {}
// SAFETY: as above; through `&self` there is only `modify` and `query`.
unsafe impl Sync for QpHandle {}

impl QpHandle {
    pub(crate) fn pd(&self) -> &Arc<PdHandle> {
        &self.pd
    }

    pub(crate) fn identity(&self) -> QpIdentity {
        self.identity
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

    /// How many bytes a request can carry in itself.
    pub(crate) fn max_inline(&self) -> u32 {
        self.max_inline
    }

    /// Sets how long a message may be.
    pub(crate) fn limit_messages(&mut self, max: u32) {
        self.max_message = max;
    }

    #[cfg(test)]
    pub(crate) fn tag(&self) -> Tag {
        self.tag
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

    /// Tells the device to flush everything.
    fn fail(&mut self) {
        self.health = Health::Failed;
        // If even this fails, the buffers come back when the QP is destroyed.
        let _ = self.modify(Modify::Err);
    }

    /// Destroys the QP and says how that went; buffers in flight go back to their regions.
    pub(crate) fn close(mut self) -> Result<(), Errno> {
        self.end().map(drop)
    }

    /// As [`close`](Self::close), but what was in flight comes back to the caller.
    pub(crate) fn close_returning(mut self) -> Result<Vec<(Queue, Bufs, u64)>, Errno> {
        let flight = self.end()?;
        Ok(flight.map_or_else(Vec::new, |mut flight| flight.take_all()))
    }

    /// What was in flight and is no longer the device's; `None` if there may be something else.
    fn end(&mut self) -> Result<Option<Flight>, Errno> {
        let Some(rooms) = self.rooms.take() else {
            return Ok(None);
        };
        self.leave_groups();
        #[cfg(test)]
        if seeded(Defect::FreeBeforeDestroy) {
            self.flight.forget_all();
        }
        // SAFETY: exists until here: `rooms` was `Some` (invariant). Events are acknowledged in the call
        // that fetches them; for one that another thread is in, the destruction waits.
        let destroyed = unsafe { self.pd.context().verbs().destroy_qp(self.raw) };
        if let Err(errno) = destroyed {
            // The device may go on: buffers, CQs, domain, tag, shared queue and the destinations of
            // datagrams stay as they are, for ever.
            leaked(Leak::Qp);
            leaked(Leak::Bytes(self.flight.bytes()));
            mem::forget((rooms, Arc::clone(&self.pd), Arc::clone(&self.lease)));
            #[cfg(test)]
            if seeded(Defect::LeaveTheSharedQueue) {
                return Err(errno);
            }
            mem::forget((self.srq.take(), mem::take(&mut self.destinations)));
            return Err(errno);
        }
        #[cfg(test)]
        super::defect::offer_tag(self.tag);
        for room in rooms {
            room.retire(&self.lease);
        }
        if self.health == Health::Poisoned {
            leaked(Leak::Bytes(self.flight.bytes()));
            return Ok(None);
        }
        // SAFETY: not taken before (`rooms` was `Some`) and not used after (`rooms` is `None`). The
        // device is done with the buffers (promise 5 of `Verbs`).
        Ok(Some(unsafe { ManuallyDrop::take(&mut self.flight) }))
    }
}

impl Drop for QpHandle {
    fn drop(&mut self) {
        // The error is what `close` is for.
        let _ = self.end();
    }
}

/// How a queue pair talks to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Reliable connected.
    Rc,
    /// Unreliable connected.
    Uc,
    /// Unreliable datagram.
    Ud,
}

impl Transport {
    fn number(self) -> u32 {
        match self {
            Transport::Rc => ffi::QPT_RC,
            Transport::Uc => ffi::QPT_UC,
            Transport::Ud => ffi::QPT_UD,
        }
    }
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

/// The buffers that the device may be using.
#[derive(Debug)]
struct Flight {
    sends: SendFlight<Posted>,
    recvs: RecvFlight<Posted>,
}

impl Flight {
    /// Takes everything out: sends before receives, each in the order they were posted.
    fn take_all(&mut self) -> Vec<(Queue, Bufs, u64)> {
        let of = |queue| move |Posted { bufs, token, .. }: Posted| (queue, bufs, token);
        let sends = self.sends.clear().into_iter().map(of(Queue::Send));
        let recvs = self.recvs.clear().into_iter().map(of(Queue::Recv));
        sends.chain(recvs).collect()
    }

    /// Frees what may be in use: a seeded defect.
    #[cfg(test)]
    fn forget_all(&mut self) {
        drop((self.sends.clear(), self.recvs.clear()));
    }

    /// How much memory that is.
    fn bytes(&self) -> usize {
        let posted = self.sends.iter().chain(self.recvs.iter());
        posted.map(|posted| posted.bufs.capacity()).sum()
    }
}

/// The memory of a request in flight, and the caller's number for it.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) bufs: Bufs,
    /// Exposed memory that it names. Kept so that its keys cannot become another region's before the
    /// device is done.
    _region: Option<Arc<ExposedRegion>>,
    pub(super) token: u64,
}
