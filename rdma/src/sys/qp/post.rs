//! Posting work.

use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;

use super::super::buf::Buf;
use super::super::bufs::{Bufs, Payload};
#[cfg(test)]
use super::super::defect::{Defect, seeded};
use super::super::errno::Errno;
use super::super::exposed::{ExposedPart, ExposedRegion};
use super::super::ffi::{self, send_flag};
use super::super::work::Work;
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
    /// A message of more bytes than the port can carry.
    TooLong {
        len: usize,
        max: u32,
    },
    /// Not the number of bytes that the peer's memory, or the kind of work, asks for.
    OtherLength {
        len: usize,
        least: u32,
        most: u32,
    },
    /// More buffers than one request of this queue pair may name.
    TooManyBufs {
        count: usize,
        max: u32,
    },
    /// More bytes than a request of this queue pair can carry in itself.
    TooLongInline {
        len: usize,
        max: u32,
    },
    OtherPd,
    /// The queue pair was not made for this work.
    NotMadeFor,
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
    /// `None`: the device may have them. They come back by a completion, or when the queue pair
    /// ends.
    pub(crate) bufs: Option<Bufs>,
}

impl QpHandle {
    /// Posts one request to the send queue.
    ///
    /// Inlined where the request is made, because there the kind of work is a constant: of all that a request may
    /// have, only what this one has is then looked at.
    #[inline(always)]
    pub(crate) fn post_send(
        &mut self,
        work: Work<'_>,
        payload: Payload<'_>,
        token: u64,
    ) -> Result<(), Refused> {
        match payload {
            Payload::Bufs(bufs) => self.post_bufs(work, bufs, token),
            Payload::Exposed(part) => self.post_part(work, part, token),
            Payload::Inline(bytes) => self.post_inline(work, bytes, token),
        }
    }

    #[inline(always)]
    fn post_bufs(&mut self, work: Work<'_>, bufs: Bufs, token: u64) -> Result<(), Refused> {
        let len = bufs.shown_len_short();
        let Some(seq) = self.admitted(&work, &bufs, len) else {
            return Err(self.refuse_send(work, bufs, 0));
        };
        self.keep_destination(seq, &work);
        let mut one = ffi::Sge::NOTHING;
        let pieces = bufs.elements(Buf::shown, &mut one, &mut self.pieces);
        // SAFETY: the elements name bytes of `bufs` alone, and live in this frame or in `self.pieces`.
        unsafe { self.send(&work, bufs, work.region(), token, pieces, 0) }
    }

    fn post_part(
        &mut self,
        work: Work<'_>,
        part: ExposedPart<'_>,
        token: u64,
    ) -> Result<(), Refused> {
        if let Some(why) = self.refuses_part(&part) {
            return Err(refused(why, Bufs::None));
        }
        let (bufs, seq) = self.admit_send(&work, Bufs::None, part.len())?;
        self.keep_destination(seq, &work);
        let mut one = part.element();
        let pieces: (*mut ffi::Sge, c_int) = (&mut one, 1);
        let region = Some(part.region());
        // SAFETY: the element names bytes of the region, and lives in this frame.
        unsafe { self.send(&work, bufs, region, token, pieces, 0) }
    }

    fn post_inline(&mut self, work: Work<'_>, bytes: &[u8], token: u64) -> Result<(), Refused> {
        if let Some(why) = self.refuses_inline(bytes) {
            return Err(refused(why, Bufs::None));
        }
        let (bufs, seq) = self.admit_send(&work, Bufs::None, bytes.len())?;
        self.keep_destination(seq, &work);
        let mut one = inline_element(bytes);
        let pieces: (*mut ffi::Sge, c_int) = (&mut one, 1);
        // SAFETY: the element names `bytes`, which are read during the call only: the
        // request is inline.
        unsafe { self.send(&work, bufs, None, token, pieces, send_flag::INLINE) }
    }

    /// # Safety
    ///
    /// `pieces` are elements that exist during the call. They name bytes that belong to `bufs` or
    /// `region`, or, if `extra_flags` has INLINE, any that exist during the call.
    #[inline(always)]
    unsafe fn send(
        &mut self,
        work: &Work<'_>,
        bufs: Bufs,
        region: Option<Arc<ExposedRegion>>,
        token: u64,
        pieces: (*mut ffi::Sge, c_int),
        extra_flags: u32,
    ) -> Result<(), Refused> {
        let signalled = work.is_signalled() || self.flight.sends.must_signal();
        let signal = if signalled { send_flag::SIGNALED } else { 0 };
        let Some(vacant) = self.flight.sends.vacant() else {
            return Err(self.full(Queue::Send, bufs));
        };
        let id = WrId {
            tag: self.tag,
            queue: Queue::Send,
            seq: vacant.seq(),
        };
        let mut wr = work.request(id.encode(), pieces, extra_flags | signal);
        let mut bad = ptr::null_mut();
        let posted = Posted {
            bufs,
            _region: region,
            token,
        };
        #[cfg(test)]
        let posted = posted.with_defects();
        // Before the call: from its first instruction on, the device may use the buffers.
        vacant.fill(posted, signalled);
        // SAFETY: the QP exists; `wr` and the elements it points to outlive the call, which does not
        // keep them (promise 3 of `Verbs`); the bytes they name belong to what was just put in
        // `flight`, where it stays until the device is done with it, or are read during the call
        // only (the caller's promise). The objects that `work` names exist.
        let result = unsafe { (self.post_send)(self.raw.as_ptr(), &mut wr, &mut bad) };
        if result == 0 {
            work.posted();
            return Ok(());
        }
        let ours = ptr::eq(bad, &wr);
        let undo = |flight: &mut Flight| flight.sends.undo_push();
        Err(self.failed_post(Errno::from_return(result), ours, undo))
    }

    #[inline]
    pub(super) fn send_id(&self, seq: u32) -> WrId {
        WrId {
            tag: self.tag,
            queue: Queue::Send,
            seq,
        }
    }

    /// Posts the whole of `bufs` to receive into.
    #[inline(always)]
    pub(crate) fn post_recv(&mut self, bufs: Bufs, token: u64) -> Result<(), Refused> {
        if !self.takes(&bufs, self.max_recv_pieces) {
            return Err(self.refuse_recv(bufs));
        }
        let Some(vacant) = self.flight.recvs.vacant() else {
            return Err(self.refuse_recv(bufs));
        };
        let mut one = ffi::Sge::NOTHING;
        let (list, count) = bufs.elements(Buf::whole, &mut one, &mut self.pieces);
        let id = WrId {
            tag: self.tag,
            queue: Queue::Recv,
            seq: vacant.seq(),
        };
        let mut wr = ffi::RecvWr::new(id.encode(), list, count);
        let mut bad = ptr::null_mut();
        #[cfg(test)]
        if let (Bufs::One(buf), true) = (&bufs, seeded(Defect::FreeAtPost)) {
            // SAFETY: the bug under test; the copy is dropped at once and no bytes are looked at.
            drop(unsafe { buf.alias() });
        }
        vacant.fill(Posted::new(bufs, token));
        // SAFETY: as in `send`; the elements name the whole of the buffers just put in `flight`.
        let result = unsafe { (self.post_recv)(self.raw.as_ptr(), &mut wr, &mut bad) };
        if result == 0 {
            return Ok(());
        }
        let ours = ptr::eq(bad, &wr);
        let undo = |flight: &mut Flight| flight.recvs.undo_push();
        Err(self.failed_post(Errno::from_return(result), ours, undo))
    }

    /// The sequence number of a send that moves `len` bytes, if all holds that must before it is queued.
    #[inline(always)]
    pub(super) fn admitted(&self, work: &Work<'_>, bufs: &Bufs, len: u32) -> Option<u32> {
        let is_right = self.takes(bufs, self.max_send_pieces)
            && len <= self.max_message
            && work.may_move(len)
            && work.is_of(&self.pd);
        self.flight.sends.next_seq().filter(|_| is_right)
    }

    /// Whether these may be the buffers of a request.
    #[inline(always)]
    fn takes(&self, bufs: &Bufs, max: u32) -> bool {
        self.health == Health::Good
            // Keys are per device: with another domain's, the NIC would reach other memory.
            && bufs.are_of(&self.pd)
            && u32::try_from(bufs.count()).is_ok_and(|count| count <= max)
    }

    /// As [`admitted`](Self::admitted). `other` is how many bytes it moves if it has no buffers.
    #[inline]
    pub(super) fn admit_send(
        &mut self,
        work: &Work<'_>,
        bufs: Bufs,
        other: usize,
    ) -> Result<(Bufs, u32), Refused> {
        let other_short = u32::try_from(other).unwrap_or(u32::MAX);
        let len = bufs.shown_len_short().max(other_short);
        match self.admitted(work, &bufs, len) {
            Some(seq) => Ok((bufs, seq)),
            None => Err(self.refuse_send(*work, bufs, other)),
        }
    }

    /// What must hold for the buffers of every request.
    #[inline]
    pub(super) fn admit(&self, bufs: Bufs, max: u32) -> Result<Bufs, Refused> {
        match self.refuses(&bufs, max) {
            Some(why) => Err(refused(why, bufs)),
            None => Ok(bufs),
        }
    }

    /// Why a send was not admitted.
    #[cold]
    pub(super) fn refuse_send(&self, work: Work<'_>, bufs: Bufs, other: usize) -> Refused {
        if let Some(why) = self.refuses(&bufs, self.max_send_pieces) {
            return refused(why, bufs);
        }
        let len = bufs.shown_len().max(other);
        let short = u32::try_from(len).unwrap_or(u32::MAX);
        if short > self.max_message {
            let max = self.max_message;
            return refused(Why::TooLong { len, max }, bufs);
        }
        if !work.may_move(short) {
            let (least, most) = work.bytes();
            return refused(Why::OtherLength { len, least, most }, bufs);
        }
        if !work.is_of(&self.pd) {
            return refused(Why::OtherPd, bufs);
        }
        self.full(Queue::Send, bufs)
    }

    /// Why a receive was not admitted.
    #[cold]
    fn refuse_recv(&self, bufs: Bufs) -> Refused {
        match self.refuses(&bufs, self.max_recv_pieces) {
            Some(why) => refused(why, bufs),
            None => self.full(Queue::Recv, bufs),
        }
    }

    /// Why these cannot be the buffers of a request.
    fn refuses(&self, bufs: &Bufs, max: u32) -> Option<Why> {
        if self.health != Health::Good {
            return Some(Why::Unhealthy(self.health));
        }
        if !bufs.are_of(&self.pd) {
            return Some(Why::OtherPd);
        }
        let count = bufs.count();
        u32::try_from(count)
            .map_or(true, |count| count > max)
            .then_some(Why::TooManyBufs { count, max })
    }

    /// Why these bytes cannot be carried in a request.
    pub(super) fn refuses_inline(&self, bytes: &[u8]) -> Option<Why> {
        let (len, max) = (bytes.len(), self.max_inline);
        let fits = u32::try_from(len).is_ok_and(|len| len <= max);
        (!fits).then_some(Why::TooLongInline { len, max })
    }

    /// Why this memory cannot be this side of a request.
    pub(super) fn refuses_part(&self, part: &ExposedPart<'_>) -> Option<Why> {
        (!part.is_of(&self.pd)).then_some(Why::OtherPd)
    }

    /// Keeps the destination of a datagram until the slot that it has is used again.
    #[inline(always)]
    pub(super) fn keep_destination(&mut self, seq: u32, work: &Work<'_>) {
        let Some(ah) = work.ah() else {
            return;
        };
        #[cfg(test)]
        if seeded(Defect::ForgetTheDestination) {
            return;
        }
        let size = self.destinations.len();
        let slot = usize::try_from(seq).unwrap_or(0) & size.wrapping_sub(1);
        if let Some(kept) = self.destinations.get_mut(slot) {
            if !kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, ah)) {
                *kept = Some(Arc::clone(ah));
            }
        }
    }

    #[cold]
    pub(super) fn full(&self, queue: Queue, bufs: Bufs) -> Refused {
        let (in_flight, depth) = self.in_flight(queue);
        let why = if in_flight < depth {
            Why::Blocked { in_flight }
        } else {
            Why::Full { depth }
        };
        refused(why, bufs)
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
            let bufs = undo(&mut self.flight).map(|posted| posted.bufs);
            return Refused {
                why: Why::Refused(errno),
                bufs,
            };
        }
        self.fail();
        Refused {
            why: Why::Uncertain(errno),
            bufs: None,
        }
    }
}

impl Posted {
    #[inline]
    pub(in crate::sys) fn new(bufs: Bufs, token: u64) -> Self {
        Posted {
            bufs,
            _region: None,
            token,
        }
    }

    /// Without the exposed memory that it names, if that is the seeded defect.
    #[cfg(test)]
    pub(super) fn with_defects(mut self) -> Self {
        if seeded(Defect::ForgetTheRegion) {
            self._region = None;
        }
        self
    }
}

#[cold]
pub(in crate::sys) fn refused(why: Why, bufs: Bufs) -> Refused {
    Refused {
        why,
        bufs: Some(bufs),
    }
}

/// Bytes that are copied when the request is posted; no key is looked at.
pub(super) fn inline_element(bytes: &[u8]) -> ffi::Sge {
    ffi::Sge {
        addr: bytes.as_ptr().expose_provenance() as u64,
        length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        lkey: 0,
    }
}
