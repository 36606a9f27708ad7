//! Extended queue pairs and completion queues of the fake device.

use std::ffi::{c_int, c_void};
use std::mem;

use super::super::ffi::{self, send_ops, wc_ex};
use super::super::wr_id::Queue;
use super::objects::fake_of;
use super::ops::accept;
use super::state::{Pieces, Posted};

/// A queue pair; all are large enough to be extended ones.
#[repr(C)]
pub(super) struct FakeQp {
    ex: ffi::QpEx45,
    is_extended: bool,
    /// What was asked for since `wr_start`.
    begun: Option<Vec<Prepared>>,
}

/// What an extended queue pair was asked for, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prepared {
    pub(crate) wr_id: u64,
    pub(crate) flags: u32,
    pub(crate) opcode: u32,
    pub(crate) rkey: u32,
    pub(crate) addr: u64,
    /// The value of an atomic write, or the length of a flush.
    pub(crate) number: u64,
    pub(crate) placement: u8,
    pub(crate) level: u8,
}

impl FakeQp {
    pub(super) fn new(ops: u64) -> Self {
        // SAFETY: integers, pointers and options of functions: zero is a valid value.
        let mut ex: ffi::QpEx45 = unsafe { mem::zeroed() };
        ex.ex.wr_start = Some(wr_start);
        ex.ex.wr_complete = Some(wr_complete);
        ex.ex.wr_atomic_write = (ops & send_ops::ATOMIC_WRITE != 0).then_some(wr_atomic_write as _);
        ex.wr_flush = (ops & send_ops::FLUSH != 0).then_some(wr_flush as _);
        FakeQp {
            ex,
            is_extended: ops != 0,
            begun: None,
        }
    }

    pub(super) fn base(&mut self) -> &mut ffi::Qp {
        &mut self.ex.ex.qp_base
    }

    pub(super) fn is_extended(&self) -> bool {
        self.is_extended
    }
}

/// # Safety
/// `qp` is one of this provider's.
unsafe fn begun<'a>(qp: *mut ffi::QpEx) -> &'a mut Option<Vec<Prepared>> {
    // SAFETY: every extended QP of this provider is the first member of a `FakeQp`.
    let begun = unsafe { &raw mut (*qp.cast::<FakeQp>()).begun };
    // SAFETY: a QP is used by one thread at a time.
    unsafe { &mut *begun }
}

/// # Safety
/// As `wr_start`.
unsafe extern "C" fn wr_start(qp: *mut ffi::QpEx) {
    // SAFETY: the caller's promise.
    let begun = unsafe { begun(qp) };
    assert!(begun.replace(Vec::new()).is_none(), "begun twice");
}

/// # Safety
/// As `wr_atomic_write` and `wr_flush`.
unsafe fn prepare(qp: *mut ffi::QpEx, prepared: Prepared) {
    // SAFETY: the caller's promise.
    let wr_id = unsafe { (*qp).wr_id };
    // SAFETY: as above.
    let flags = unsafe { (*qp).wr_flags };
    // SAFETY: as above.
    let begun = unsafe { begun(qp) }.as_mut().expect("begun");
    begun.push(Prepared {
        wr_id,
        flags,
        ..prepared
    });
}

const NOTHING: Prepared = Prepared {
    wr_id: 0,
    flags: 0,
    opcode: 0,
    rkey: 0,
    addr: 0,
    number: 0,
    placement: 0,
    level: 0,
};

/// # Safety
/// As `wr_atomic_write`.
unsafe extern "C" fn wr_atomic_write(
    qp: *mut ffi::QpEx,
    rkey: u32,
    addr: u64,
    value: *const c_void,
) {
    // SAFETY: the caller gave eight bytes.
    let number = unsafe { value.cast::<u64>().read_unaligned() };
    let prepared = Prepared {
        opcode: 15,
        rkey,
        addr,
        number,
        ..NOTHING
    };
    // SAFETY: the caller's promise.
    unsafe { prepare(qp, prepared) };
}

/// # Safety
/// As `wr_flush`.
unsafe extern "C" fn wr_flush(
    qp: *mut ffi::QpEx,
    rkey: u32,
    addr: u64,
    len: usize,
    placement: u8,
    level: u8,
) {
    let prepared = Prepared {
        opcode: 14,
        rkey,
        addr,
        number: len.try_into().unwrap(),
        placement,
        level,
        ..NOTHING
    };
    // SAFETY: the caller's promise.
    unsafe { prepare(qp, prepared) };
}

/// # Safety
/// As `wr_complete`.
unsafe extern "C" fn wr_complete(qp: *mut ffi::QpEx) -> c_int {
    // SAFETY: the caller's promise.
    let all = unsafe { begun(qp) }.take().expect("begun");
    // SAFETY: as above.
    let base = unsafe { &(*qp).qp_base };
    // SAFETY: the context of an existing QP is open.
    let mut state = unsafe { fake_of(base.context) }.state();
    state.doorbells += 1;
    for prepared in all {
        state.prepared.push(prepared);
        let posted = Posted {
            wr_id: prepared.wr_id,
            queue: Queue::Send,
            qp_num: base.qp_num,
            cq: base.send_cq.addr(),
            signalled: prepared.flags & ffi::send_flag::SIGNALED != 0,
            opcode: prepared.opcode,
            flags: prepared.flags,
            imm_or_rkey: prepared.rkey,
            wc_flags: 0,
            length: 0,
            pieces: Pieces::new(&[]),
            srq: 0,
            destination: 0,
            binding: None,
            sent: 0,
        };
        let (result, _) = accept(&mut state, posted);
        if result != 0 {
            return result;
        }
    }
    0
}

/// A completion queue; all are large enough to be extended ones.
#[repr(C)]
pub(super) struct FakeCq {
    ex: ffi::CqEx,
    current: ffi::Wc,
    stamp: u64,
}

impl FakeCq {
    pub(super) fn new(flags: u64) -> Self {
        // SAFETY: integers, pointers and options of functions: zero is a valid value.
        let mut ex: ffi::CqEx = unsafe { mem::zeroed() };
        let asked = |flag, read: ffi::Read32| (flags & flag != 0).then_some(read);
        ex.start_poll = Some(start_poll);
        ex.next_poll = Some(next_poll);
        ex.end_poll = Some(end_poll);
        ex.read_opcode = Some(read_opcode);
        ex.read_vendor_err = Some(read_vendor_err);
        ex.read_wc_flags = Some(read_wc_flags);
        ex.read_byte_len = asked(wc_ex::BYTE_LEN, read_byte_len);
        ex.read_imm_data = asked(wc_ex::IMM, read_imm_data);
        ex.read_qp_num = asked(wc_ex::QP_NUM, read_qp_num);
        ex.read_src_qp = asked(wc_ex::SRC_QP, read_src_qp);
        let stamped = |flag, read: ffi::Read64| (flags & flag != 0).then_some(read);
        ex.read_completion_ts = stamped(wc_ex::COMPLETION_TIMESTAMP, read_stamp);
        let wallclock = wc_ex::COMPLETION_TIMESTAMP_WALLCLOCK;
        ex.read_completion_wallclock_ns = stamped(wallclock, read_wallclock);
        FakeCq {
            ex,
            current: ffi::Wc::NOTHING,
            stamp: 0,
        }
    }

    pub(super) fn base(&mut self) -> &mut ffi::Cq {
        &mut self.ex.base
    }
}

/// # Safety
/// `cq` is one of this provider's, with a current completion.
unsafe fn current<'a>(cq: *mut ffi::CqEx) -> &'a ffi::Wc {
    // SAFETY: every CQ of this provider is the first member of a `FakeCq`.
    unsafe { &(*cq.cast::<FakeCq>()).current }
}

/// # Safety
/// As `start_poll`.
unsafe extern "C" fn start_poll(cq: *mut ffi::CqEx, attr: *mut ffi::PollCqAttr) -> c_int {
    // SAFETY: the caller's promise.
    assert_eq!(unsafe { (*attr).comp_mask }, 0);
    // SAFETY: as above.
    let context = unsafe { (*cq).base.context };
    // SAFETY: the context of an existing CQ is open.
    let mut state = unsafe { fake_of(context) }.state();
    assert_eq!(state.open_polls, 0, "begun twice: a deadlock elsewhere");
    match &mut state.start_poll_fails {
        Some((0, result)) => return *result,
        Some((after, _)) => *after -= 1,
        None => {}
    }
    let queue = state.entries(cq.addr()).expect("an existing CQ");
    let Some(completion) = queue.pop_front() else {
        return libc::ENOENT;
    };
    (state.open_polls, state.clock) = (1, state.clock + 1);
    // SAFETY: a CQ is polled by one thread at a time.
    let fake = unsafe { &mut *cq.cast::<FakeCq>() };
    (fake.current, fake.stamp) = (completion, state.clock);
    (fake.ex.wr_id, fake.ex.status) = (completion.wr_id, completion.status);
    0
}

/// # Safety
/// As `next_poll`.
unsafe extern "C" fn next_poll(_: *mut ffi::CqEx) -> c_int {
    panic!("providers do not agree about what it does at the end of a batch");
}

/// # Safety
/// As `end_poll`.
unsafe extern "C" fn end_poll(cq: *mut ffi::CqEx) {
    // SAFETY: the caller's promise.
    let context = unsafe { (*cq).base.context };
    // SAFETY: the context of an existing CQ is open.
    let mut state = unsafe { fake_of(context) }.state();
    assert_eq!(mem::take(&mut state.open_polls), 1, "ended twice");
}

macro_rules! reads {
    ($($name:ident $field:ident of $valid:literal;)+) => {
        $(
            /// # Safety
            /// As the function of this name of `ibv_cq_ex`.
            unsafe extern "C" fn $name(cq: *mut ffi::CqEx) -> u32 {
                // SAFETY: the caller's promise.
                let current = unsafe { current(cq) };
                assert_eq!(current.status == 0, $valid, "it does not say");
                current.$field
            }
        )+
    };
}

reads! {
    read_opcode opcode of true;
    read_byte_len byte_len of true;
    read_imm_data imm_or_rkey of true;
    read_src_qp src_qp of true;
    read_wc_flags wc_flags of true;
    read_vendor_err vendor_err of false;
}

/// # Safety
/// As `read_qp_num` of `ibv_cq_ex`.
unsafe extern "C" fn read_qp_num(cq: *mut ffi::CqEx) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { current(cq) }.qp_num
}

/// # Safety
/// As `read_completion_ts` of `ibv_cq_ex`.
unsafe extern "C" fn read_stamp(cq: *mut ffi::CqEx) -> u64 {
    // SAFETY: every CQ of this provider is the first member of a `FakeCq`.
    unsafe { (*cq.cast::<FakeCq>()).stamp }
}

/// # Safety
/// As `read_completion_wallclock_ns` of `ibv_cq_ex`.
unsafe extern "C" fn read_wallclock(cq: *mut ffi::CqEx) -> u64 {
    // SAFETY: the caller's promise.
    let stamp = unsafe { read_stamp(cq) };
    1_700_000_000_000_000_000 + stamp
}
