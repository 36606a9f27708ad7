//! Shared receive queues, and the buffers they own.

use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use super::buf::Buf;
use super::bufs::Bufs;
use super::cq::{Completion, CqHandle, Room};
#[cfg(test)]
use super::defect::{Defect, seeded};
use super::errno::Errno;
use super::ffi;
use super::flight::{MAX_DEPTH, NotInFlight};
use super::identity::SrqNumber;
use super::leaks::{Leak, leaked};
use super::pd::PdHandle;
use super::qp::{
    CreateError, Health, MOST_PIECES, Posted, Refused, Retired, Unclaimed, Why, refused,
};
use super::recv_stage::RecvStage;
use super::room::NoRoom;
use super::shelf::Shelf;
use super::tag::TagLease;
use super::wr_id::{Queue, Tag, WrId};

/// A shared receive queue as the device has it, for as long as anybody uses it.
///
/// # Invariants
///
/// - `raw` exists in `pd` and is destroyed once, by `Drop`; queue pairs on it hold an `Arc` of this.
/// - Every buffer named by a receive whose completion was not taken is in the `flight` of the one
///   [`SrqHandle`], and after that in `left`, which is dropped only after `destroy_srq` returned `Ok`,
///   and not at all when the queue is poisoned.
#[derive(Debug)]
pub(crate) struct SharedQueue {
    raw: NonNull<ffi::Srq>,
    pd: Arc<PdHandle>,
    lease: Arc<TagLease>,
    number: SrqNumber,
    depth: u32,
    /// Room for its completions, once in each CQ that a queue pair on it receives by.
    rooms: Mutex<Vec<Room>>,
    left: Mutex<Left>,
}

/// What is in flight when nobody can take completions any more.
#[derive(Debug, Default)]
struct Left {
    flight: Option<ManuallyDrop<Shelf<Posted>>>,
    is_poisoned: bool,
}

// SAFETY: verbs may be called from any thread (promise 2 of `Verbs`); the rest is `Send`.
unsafe impl Send for SharedQueue {}
// SAFETY: as above; the rest is behind locks.
unsafe impl Sync for SharedQueue {}

impl SharedQueue {
    pub(super) fn raw(&self) -> NonNull<ffi::Srq> {
        self.raw
    }

    pub(super) fn pd(&self) -> &Arc<PdHandle> {
        &self.pd
    }

    /// Makes sure that its completions have room in a CQ.
    pub(super) fn attach(&self, cq: &Arc<CqHandle>) -> Result<(), NoRoom> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if !rooms.iter().any(|room| room.is_of(cq)) {
            rooms.push(cq.reserve(self.depth)?);
        }
        Ok(())
    }
}

impl Drop for SharedQueue {
    fn drop(&mut self) {
        // SAFETY: exists until here (invariant); its queue pairs are gone, each held an `Arc` of this;
        // events are acknowledged in the call that fetches them; for one that another thread is in, the
        // destruction waits.
        let destroyed = unsafe { self.pd.context().verbs().destroy_srq(self.raw) };
        let rooms = self.rooms.get_mut().unwrap_or_else(PoisonError::into_inner);
        let rooms = mem::take(rooms);
        let left = self.left.get_mut().unwrap_or_else(PoisonError::into_inner);
        let left = mem::take(left);
        let flight = left.flight;
        let bytes = || {
            let posted = flight.iter().flat_map(|flight| flight.iter());
            posted.map(|posted| posted.bufs.capacity()).sum()
        };
        if destroyed.is_err() {
            leaked(Leak::Srq);
            leaked(Leak::Bytes(bytes()));
            mem::forget((rooms, Arc::clone(&self.pd), Arc::clone(&self.lease)));
            return;
        }
        rooms.into_iter().for_each(|room| room.retire(&self.lease));
        if left.is_poisoned {
            leaked(Leak::Bytes(bytes()));
        } else {
            // The device is done with the buffers (promise 5 of `Verbs`).
            drop(flight.map(ManuallyDrop::into_inner));
        }
    }
}

/// The one who posts to a shared receive queue and takes its completions.
///
/// # Invariants
///
/// `post` is `ops.post_srq_recv` of the queue's context; `tag` is that of its lease; `pieces` has room
/// for the elements of one request.
#[derive(Debug)]
pub(crate) struct SrqHandle {
    shared: Arc<SharedQueue>,
    pub(super) post: ffi::PostSrqRecv,
    pub(super) tag: Tag,
    pub(super) health: Health,
    pub(super) stage: RecvStage,
    pub(super) flight: ManuallyDrop<Shelf<Posted>>,
    max_pieces: u32,
    pieces: Box<[ffi::Sge]>,
}

// SAFETY: the post function may be called from any thread (promise 2 of `Verbs`); the rest is `Send`.
unsafe impl Send for SrqHandle {}
// SAFETY: as above; through `&self` nothing is posted.
unsafe impl Sync for SrqHandle {}

impl SrqHandle {
    /// With room for `depth` receives of `max_pieces` buffers each.
    pub(crate) fn create(
        pd: &Arc<PdHandle>,
        depth: u32,
        max_pieces: u32,
    ) -> Result<Self, CreateError> {
        if depth > MAX_DEPTH {
            return Err(CreateError::TooDeep(Queue::Recv));
        }
        if !(1..=MOST_PIECES).contains(&max_pieces) {
            return Err(CreateError::Pieces(Queue::Recv));
        }
        let context = pd.context();
        let missing = || CreateError::Errno(Errno::new(libc::EOPNOTSUPP));
        let post = context.post_srq_recv().ok_or_else(missing)?;
        let lease = TagLease::take().ok_or(CreateError::NoTag)?;
        let number = SrqNumber::next();
        let mut attr = ffi::SrqInitAttr {
            srq_context: ptr::without_provenance_mut(number.get()),
            attr: ffi::SrqAttr {
                max_wr: depth.max(1),
                max_sge: max_pieces,
                srq_limit: 0,
            },
        };
        // SAFETY: a `PdHandle` is allocated.
        let raw = unsafe { context.verbs().create_srq(pd.raw(), &mut attr) }
            .map_err(CreateError::Errno)?;
        let pieces = usize::try_from(max_pieces).unwrap_or(0);
        Ok(SrqHandle {
            post,
            tag: lease.tag(),
            health: Health::Good,
            stage: RecvStage::default(),
            flight: ManuallyDrop::new(Shelf::new(depth)),
            max_pieces,
            pieces: vec![ffi::Sge::NOTHING; pieces].into_boxed_slice(),
            shared: Arc::new(SharedQueue {
                raw,
                pd: Arc::clone(pd),
                lease,
                number,
                depth,
                rooms: Mutex::default(),
                left: Mutex::default(),
            }),
        })
    }

    pub(crate) fn shared(&self) -> &Arc<SharedQueue> {
        &self.shared
    }

    pub(crate) fn health(&self) -> Health {
        self.health
    }

    /// How many receives are in flight, and how many may be.
    pub(crate) fn in_flight(&self) -> (u32, u32) {
        (self.flight.len(), self.flight.places())
    }

    /// What events call it.
    pub(crate) fn number(&self) -> SrqNumber {
        self.shared.number
    }

    /// Asks for one event when fewer than `limit` receives are left.
    pub(crate) fn set_limit(&self, limit: u32) -> Result<(), Errno> {
        let mut attr = ffi::SrqAttr {
            srq_limit: limit,
            ..ffi::SrqAttr::default()
        };
        let (verbs, raw) = (self.shared.pd.context().verbs(), self.shared.raw);
        // SAFETY: the queue exists (invariant).
        unsafe { verbs.modify_srq(raw, &mut attr, ffi::SRQ_LIMIT) }
    }

    /// Why these buffers cannot be posted.
    #[inline]
    pub(super) fn refuses(&self, bufs: &Bufs) -> Option<Why> {
        if self.health != Health::Good {
            return Some(Why::Unhealthy(self.health));
        }
        // Keys are per device: with another domain's, the NIC would reach other memory.
        if !bufs.are_of(&self.shared.pd) {
            return Some(Why::OtherPd);
        }
        let (count, max) = (bufs.count(), self.max_pieces);
        u32::try_from(count)
            .map_or(true, |count| count > max)
            .then_some(Why::TooManyBufs { count, max })
    }

    /// Posts the whole of `bufs` to receive into.
    #[inline]
    pub(crate) fn post_recv(&mut self, bufs: Bufs, token: u64) -> Result<(), Refused> {
        if let Some(why) = self.refuses(&bufs) {
            return Err(refused(why, bufs));
        }
        let mut one = ffi::Sge::NOTHING;
        let (list, count) = bufs.elements(Buf::whole, &mut one, &mut self.pieces);
        // Before the call: from its first instruction on, the device may use the buffers.
        let seq = match self.flight.put(Posted::new(bufs, token)) {
            Ok(seq) => seq,
            Err(posted) => {
                let depth = self.flight.places();
                return Err(refused(Why::Full { depth }, posted.bufs));
            }
        };
        let id = WrId {
            tag: self.tag,
            queue: Queue::Recv,
            seq,
        };
        let mut wr = ffi::RecvWr::new(id.encode(), list, count);
        let mut bad = ptr::null_mut();
        // SAFETY: the queue exists; `wr` and the elements it points to outlive the call, which does
        // not keep them (promise 3 of `Verbs`); they name the whole of the buffers just put in
        // `flight`, where they stay until the device is done with them.
        let result = unsafe { (self.post)(self.shared.raw.as_ptr(), &mut wr, &mut bad) };
        if result == 0 {
            return Ok(());
        }
        Err(self.failed_post(Errno::from_return(result), ptr::eq(bad, &wr), seq))
    }

    /// As of a queue pair; but there is no state to put this queue in, so that it only takes nothing
    /// more.
    #[cold]
    fn failed_post(&mut self, errno: Errno, ours: bool, seq: u32) -> Refused {
        if ours {
            let posted = self.flight.take(seq, |_| true);
            return Refused {
                why: Why::Refused(errno),
                bufs: posted.ok().map(|posted| posted.bufs),
            };
        }
        self.health = Health::Failed;
        Refused {
            why: Why::Uncertain(errno),
            bufs: None,
        }
    }

    #[inline]
    pub(crate) fn owns(&self, completion: &Completion<'_>) -> bool {
        completion.id().is_some_and(|id| id.tag == self.tag)
    }

    /// Takes the receive that `completion` stands for; `None` when it was taken.
    #[inline(always)]
    pub(crate) fn complete<'cq>(
        &mut self,
        completion: &mut Completion<'cq>,
    ) -> Result<Option<Retired<'cq>>, Unclaimed> {
        if completion.used() {
            return Ok(None);
        }
        let id = completion.id().filter(|id| id.tag == self.tag);
        let id = id.ok_or(Unclaimed::Other)?;
        if self.health == Health::Poisoned {
            return Err(Unclaimed::Poisoned);
        }
        let wc = completion.wc();
        let fits = |posted: &mut Posted| posted.receives(wc);
        let retired = match id.queue {
            Queue::Recv => self.flight.take(id.seq, fits),
            Queue::Send => Err(NotInFlight),
        };
        let Ok(Posted { bufs, token, .. }) = retired else {
            self.health = Health::Poisoned;
            return Err(Unclaimed::Poisoned);
        };
        completion.use_up();
        Ok(Some(Retired {
            bufs,
            token,
            queue: Queue::Recv,
            wc,
        }))
    }
}

impl Drop for SrqHandle {
    fn drop(&mut self) {
        // SAFETY: not used afterwards; what it owned is dropped by nobody but `SharedQueue`.
        let flight = unsafe { ManuallyDrop::take(&mut self.flight) };
        #[cfg(test)]
        let flight = match seeded(Defect::FreeWithTheSharedQueue) {
            true => Shelf::new(0),
            false => flight,
        };
        let mut left = self
            .shared
            .left
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        left.flight = Some(ManuallyDrop::new(flight));
        left.is_poisoned = self.health == Health::Poisoned;
    }
}
