//! Extended completion queues, which tell when work was over.

use std::ffi::c_int;
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::channel::ChannelHandle;
use super::context::ContextHandle;
use super::errno::Errno;
use super::ffi::{self, wc_ex, wc_flag};
use super::lacking::Lacking;
use super::leaks::{Leak, leaked};

/// What is asked of an extended completion queue beyond what every one tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CqFields {
    /// When the work was over, in ticks of the device's clock.
    pub(crate) timestamp: bool,
    /// The same, by the wall clock.
    pub(crate) wallclock: bool,
}

/// What `Completion`s are made of, on every completion queue.
const USUAL: u64 = wc_ex::BYTE_LEN | wc_ex::IMM | wc_ex::QP_NUM | wc_ex::SRC_QP;

impl CqFields {
    const fn bits(self) -> u64 {
        let timestamp = if self.timestamp {
            wc_ex::COMPLETION_TIMESTAMP
        } else {
            0
        };
        let wallclock = if self.wallclock {
            wc_ex::COMPLETION_TIMESTAMP_WALLCLOCK
        } else {
            0
        };
        USUAL | timestamp | wallclock
    }

    /// What a provider that refuses them has not, in words.
    const fn name(self) -> &'static str {
        match (self.timestamp, self.wallclock) {
            (_, true) => "completion times by the wall clock",
            (true, false) => "completion timestamps",
            (false, false) => "extended completion queues",
        }
    }
}

/// When work was over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamp {
    pub(super) ticks: Option<u64>,
    /// In nanoseconds since 1970.
    pub(super) wallclock: Option<u64>,
}

/// Why there is no completion queue.
#[derive(Debug)]
pub(crate) enum CreateCqError {
    Lacks(&'static str, Lacking),
    Errno(Errno),
}

/// How an extended completion queue is polled.
///
/// # Invariants
///
/// The functions are those of `raw`, which outlives this.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtendedPoll {
    raw: NonNull<ffi::CqEx>,
    start_poll: ffi::StartPoll,
    end_poll: ffi::EndPoll,
    read_opcode: ffi::Read32,
    read_vendor_err: ffi::Read32,
    read_wc_flags: ffi::Read32,
    read_byte_len: ffi::Read32,
    read_imm_data: ffi::Read32,
    read_qp_num: ffi::Read32,
    read_src_qp: ffi::Read32,
    read_completion_ts: Option<ffi::Read64>,
    read_completion_wallclock_ns: Option<ffi::Read64>,
}

// SAFETY: verbs may be called from any thread (promise 2 of `Verbs`).
unsafe impl Send for ExtendedPoll {}
// SAFETY: through `&self` nothing is done but by its only poller.
unsafe impl Sync for ExtendedPoll {}

/// Makes an extended completion queue, with events by `channel`, which bear `number`.
///
/// # Safety
/// `channel` is of `context`, and kept for as long as the completion queue that is returned.
pub(super) unsafe fn create(
    context: &Arc<ContextHandle>,
    capacity: u32,
    channel: Option<&Arc<ChannelHandle>>,
    number: usize,
    fields: CqFields,
) -> Result<(NonNull<ffi::Cq>, ExtendedPoll), CreateCqError> {
    if fields != CqFields::default() {
        let extras = context.query_extras().map_err(CreateCqError::Errno)?;
        if extras.timestamp_mask == 0 {
            return Err(CreateCqError::Lacks(fields.name(), Lacking::Device));
        }
    }
    let mut attr = ffi::CqInitAttrEx {
        cqe: capacity,
        cq_context: ptr::without_provenance_mut(number),
        channel: channel.map_or(ptr::null_mut(), |channel| channel.raw().as_ptr()),
        comp_vector: 0,
        wc_flags: fields.bits(),
        comp_mask: 0,
        flags: 0,
        parent_domain: ptr::null_mut(),
    };
    let verbs = context.verbs();
    // SAFETY: a `ContextHandle` is open; the channel exists in it (the caller's promise), and stays if
    // the queue does.
    let made = unsafe { verbs.create_cq_ex(context.raw(), &mut attr) };
    let lacks = || CreateCqError::Lacks(fields.name(), Lacking::Library);
    let ex = made.map_err(|errno| match errno.number() {
        libc::EOPNOTSUPP | libc::ENOSYS => lacks(),
        _ => CreateCqError::Errno(errno),
    })?;
    // SAFETY: just made, with these fields.
    match unsafe { ExtendedPoll::of(ex, fields) } {
        Some(poll) => Ok((ex.cast(), poll)),
        None => {
            // SAFETY: just made, and not used.
            if unsafe { verbs.destroy_cq(ex.cast()) }.is_err() {
                leaked(Leak::Cq);
                mem::forget((Arc::clone(context), channel.map(Arc::clone)));
            }
            Err(lacks())
        }
    }
}

impl ExtendedPoll {
    /// `None` if the provider did not make what it was asked for.
    ///
    /// # Safety
    /// `raw` was just made, with `fields`.
    unsafe fn of(raw: NonNull<ffi::CqEx>, fields: CqFields) -> Option<Self> {
        // SAFETY: it was just made, so nobody else uses it yet.
        let ex = unsafe { raw.as_ref() };
        let timestamp = ex.read_completion_ts.filter(|_| fields.timestamp);
        let wallclock = ex.read_completion_wallclock_ns.filter(|_| fields.wallclock);
        if (timestamp.is_some(), wallclock.is_some()) != (fields.timestamp, fields.wallclock) {
            return None;
        }
        Some(ExtendedPoll {
            raw,
            start_poll: ex.start_poll?,
            end_poll: ex.end_poll?,
            read_opcode: ex.read_opcode?,
            read_vendor_err: ex.read_vendor_err?,
            read_wc_flags: ex.read_wc_flags?,
            read_byte_len: ex.read_byte_len?,
            read_imm_data: ex.read_imm_data?,
            read_qp_num: ex.read_qp_num?,
            read_src_qp: ex.read_src_qp?,
            read_completion_ts: timestamp,
            read_completion_wallclock_ns: wallclock,
        })
    }

    /// Fetches what is there, as much as there is room for, and says how many that were. After an
    /// error, which is what a poll returned, what was fetched is still good.
    ///
    /// Each completion is a batch of its own, begun and ended here: Soft-RoCE's providers do not
    /// agree about what asking for one more at the end of a batch does. Up to rdma-core 52 it ends the
    /// batch, and ending it once more, as the manual wants, skips a completion that is yet to come; in
    /// 56 it unlocks the queue, which ending the batch does again; only later ones do as the manual
    /// says. And so no code of the caller's runs while the queue is locked.
    ///
    /// # Safety
    /// The completion queue exists, and the caller is its only poller.
    pub(super) unsafe fn fetch(
        &self,
        batch: &mut [ffi::Wc],
        stamps: &mut [Stamp],
    ) -> (usize, Result<(), c_int>) {
        let mut fetched = 0;
        for (wc, stamp) in batch.iter_mut().zip(stamps) {
            // SAFETY: the caller's promise.
            match unsafe { self.next(wc, stamp) } {
                0 => fetched += 1,
                libc::ENOENT => break,
                result => return (fetched, Err(result)),
            }
        }
        (fetched, Ok(()))
    }

    /// Fetches one completion; what `start_poll` returned.
    ///
    /// # Safety
    /// As [`fetch`](Self::fetch).
    unsafe fn next(&self, wc: &mut ffi::Wc, stamp: &mut Stamp) -> c_int {
        let cq = self.raw.as_ptr();
        let mut attr = ffi::PollCqAttr { comp_mask: 0 };
        // SAFETY: the CQ exists, and no batch of it is begun.
        let result = unsafe { (self.start_poll)(cq, &mut attr) };
        if result != 0 {
            return result;
        }
        // SAFETY: the CQ exists; its provider writes to it in `start_poll` only.
        let wr_id = unsafe { (*cq).wr_id };
        // SAFETY: as above.
        let status = unsafe { (*cq).status };
        // SAFETY: a completion is at hand until `end_poll`.
        let read = |read: ffi::Read32| unsafe { read(cq) };
        // SAFETY: as above.
        let read_64 = |read: ffi::Read64| unsafe { read(cq) };
        *wc = ffi::Wc {
            wr_id,
            status,
            qp_num: read(self.read_qp_num),
            ..ffi::Wc::NOTHING
        };
        if status == ffi::WC_SUCCESS {
            (wc.opcode, wc.wc_flags) = (read(self.read_opcode), read(self.read_wc_flags));
            (wc.byte_len, wc.src_qp) = (read(self.read_byte_len), read(self.read_src_qp));
            if wc.wc_flags & (wc_flag::WITH_IMM | wc_flag::WITH_INV) != 0 {
                wc.imm_or_rkey = read(self.read_imm_data);
            }
        } else {
            wc.vendor_err = read(self.read_vendor_err);
        }
        stamp.ticks = self.read_completion_ts.map(read_64);
        stamp.wallclock = self.read_completion_wallclock_ns.map(read_64);
        // SAFETY: the batch was begun above, by this thread.
        unsafe { (self.end_poll)(cq) };
        result
    }
}

/// A batch of an extended completion queue.
#[derive(Debug)]
pub(super) struct ExtendedBatch<const N: usize> {
    pub(super) poll: ExtendedPoll,
    pub(super) stamps: [Stamp; N],
}

impl<const N: usize> ExtendedBatch<N> {
    pub(super) fn new(poll: ExtendedPoll) -> Self {
        ExtendedBatch {
            poll,
            stamps: [Stamp::default(); N],
        }
    }
}
