//! The data path of the fake device. It sets no limit of its own: real ones accept more than they
//! say.

use std::ffi::c_int;

use super::super::ffi;
use super::super::wr_id::Queue;
use super::Binding;
use super::objects::fake_of;
use super::state::{BadWr, Pieces, Posted, State};

/// # Safety
/// As `ibv_post_send`.
pub(super) unsafe extern "C" fn post_send(
    qp: *mut ffi::Qp,
    first: *mut ffi::SendWr,
    bad: *mut *mut ffi::SendWr,
) -> c_int {
    // SAFETY: the caller's promise.
    let qp = unsafe { &*qp };
    // SAFETY: the context of an existing QP is open.
    let mut state = unsafe { fake_of(qp.context) }.state();
    state.doorbells += 1;
    let mut next = first;
    while !next.is_null() {
        // SAFETY: the caller's promise, for each request of the list.
        let request = unsafe { &*next };
        // SAFETY: as above.
        let elements = unsafe { elements(request.sg_list, request.num_sge) };
        let is_inline = request.send_flags & ffi::send_flag::INLINE != 0;
        let mut posted = Posted {
            wr_id: request.wr_id,
            queue: Queue::Send,
            qp_num: qp.qp_num,
            cq: qp.send_cq.addr(),
            signalled: request.send_flags & ffi::send_flag::SIGNALED != 0,
            opcode: request.opcode,
            flags: request.send_flags,
            imm_or_rkey: request.imm_or_rkey,
            wc_flags: 0,
            length: elements.iter().map(|element| element.length).sum(),
            pieces: Pieces::new(if is_inline { &[] } else { elements }),
            srq: 0,
            destination: match qp.qp_type {
                ffi::QPT_UD => usize::try_from(request.wr[0]).unwrap(),
                _ => 0,
            },
            binding: Binding::of(request),
            sent: 0,
        };
        posted.sent = state.checksum(&posted);
        let (result, bad_wr) = accept(&mut state, posted);
        match bad_wr {
            // SAFETY: `bad` is an out-pointer.
            Some(BadWr::Own) => unsafe { *bad = next },
            // SAFETY: as above.
            Some(BadWr::Foreign) => unsafe { *bad = std::ptr::dangling_mut() },
            Some(BadWr::Null) | None => {}
        }
        if result != 0 {
            return result;
        }
        next = request.next;
    }
    0
}

/// # Safety
/// As `ibv_post_recv`.
pub(super) unsafe extern "C" fn post_recv(
    qp: *mut ffi::Qp,
    wr: *mut ffi::RecvWr,
    bad: *mut *mut ffi::RecvWr,
) -> c_int {
    // SAFETY: the caller's promise.
    let qp = unsafe { &*qp };
    // SAFETY: the caller's promise.
    unsafe { receive(qp.context, (qp.qp_num, qp.recv_cq.addr(), 0), wr, bad) }
}

/// # Safety
/// As `ibv_post_srq_recv`.
pub(super) unsafe extern "C" fn post_srq_recv(
    srq: *mut ffi::Srq,
    wr: *mut ffi::RecvWr,
    bad: *mut *mut ffi::RecvWr,
) -> c_int {
    // SAFETY: the caller's promise.
    let context = unsafe { (*srq).context };
    // Which queue pair takes it, and so where its completion goes, is the test's to say.
    // SAFETY: the caller's promise.
    unsafe { receive(context, (0, 0, srq.addr()), wr, bad) }
}

/// # Safety
/// As `ibv_post_recv`, in `context`.
unsafe fn receive(
    context: *mut ffi::Context,
    (qp_num, cq, srq): (u32, usize, usize),
    wr: *mut ffi::RecvWr,
    bad: *mut *mut ffi::RecvWr,
) -> c_int {
    // SAFETY: an open context.
    let mut state = unsafe { fake_of(context) }.state();
    state.recv_doorbells += 1;
    let mut next = wr;
    while !next.is_null() {
        // SAFETY: the caller's promise, for each request of the list.
        let request = unsafe { &*next };
        // SAFETY: as above.
        let elements = unsafe { elements(request.sg_list, request.num_sge) };
        let posted = Posted {
            wr_id: request.wr_id,
            queue: Queue::Recv,
            qp_num,
            cq,
            signalled: true,
            opcode: 0,
            flags: 0,
            imm_or_rkey: 0,
            wc_flags: 0,
            length: elements.iter().map(|element| element.length).sum(),
            pieces: Pieces::new(elements),
            srq,
            destination: 0,
            binding: None,
            sent: 0,
        };
        let (result, bad_wr) = accept(&mut state, posted);
        match bad_wr {
            // SAFETY: `bad` is an out-pointer.
            Some(BadWr::Own) => unsafe { *bad = next },
            // SAFETY: as above.
            Some(BadWr::Foreign) => unsafe { *bad = std::ptr::dangling_mut() },
            Some(BadWr::Null) | None => {}
        }
        if result != 0 {
            return result;
        }
        next = request.next;
    }
    0
}

/// # Safety
/// `count` elements are at `list`, for as long as the result is used.
unsafe fn elements<'a>(list: *const ffi::Sge, count: c_int) -> &'a [ffi::Sge] {
    match usize::try_from(count).unwrap() {
        0 => &[],
        // SAFETY: the caller's promise.
        count => unsafe { std::slice::from_raw_parts(list, count) },
    }
}

pub(super) fn accept(state: &mut State, posted: Posted) -> (c_int, Option<BadWr>) {
    match state.fail_next_post {
        Some(failure) if failure.after == 0 => {
            state.fail_next_post = None;
            if failure.queued {
                state.posted.push_back(posted);
            }
            (failure.result, Some(failure.bad_wr))
        }
        _ => {
            if let Some(failure) = &mut state.fail_next_post {
                failure.after -= 1;
            }
            state.posted.push_back(posted);
            (0, None)
        }
    }
}

/// # Safety
/// As `ibv_poll_cq`.
pub(super) unsafe extern "C" fn poll_cq(
    cq: *mut ffi::Cq,
    entries: c_int,
    wc: *mut ffi::Wc,
) -> c_int {
    // SAFETY: the caller's promise.
    let context = unsafe { (*cq).context };
    // SAFETY: the context of an existing CQ is open.
    let mut state = unsafe { fake_of(context) }.state();
    if let Some(result) = state.poll_result {
        return result;
    }
    let wanted = usize::try_from(entries).unwrap();
    let wanted = c_int::try_from(wanted.min(state.poll_max)).unwrap();
    let queue = state.entries(cq.addr()).expect("an existing CQ");
    let mut written = 0;
    while written < wanted {
        let Some(completion) = queue.pop_front() else {
            break;
        };
        let index = usize::try_from(written).unwrap();
        // SAFETY: the caller gave room for `entries`.
        let slot = unsafe { wc.add(index) };
        // SAFETY: as above.
        unsafe { slot.write(completion) };
        written += 1;
    }
    written
}

/// # Safety
/// As `ibv_req_notify_cq`.
pub(super) unsafe extern "C" fn req_notify_cq(cq: *mut ffi::Cq, _: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let context = unsafe { (*cq).context };
    // SAFETY: the context of an existing CQ is open.
    unsafe { fake_of(context) }.state().arm(cq.addr());
    0
}

/// # Safety
/// As `ibv_alloc_mw`.
pub(super) unsafe extern "C" fn alloc_mw(pd: *mut ffi::Pd, kind: u32) -> *mut ffi::Mw {
    // SAFETY: the caller's promise.
    let context = unsafe { (*pd).context };
    // SAFETY: the context of an allocated domain is open.
    let fake = unsafe { fake_of(context) };
    let handle = fake.made("alloc_mw");
    let mw = Box::into_raw(Box::new(ffi::Mw {
        context,
        pd,
        rkey: handle << 8,
        handle,
        kind,
    }));
    let mut state = fake.state();
    state.contract.made("a window", mw.addr(), &[pd.addr()]);
    mw
}

/// # Safety
/// As `ibv_dealloc_mw`.
pub(super) unsafe extern "C" fn dealloc_mw(mw: *mut ffi::Mw) -> c_int {
    let address = mw.addr();
    // SAFETY: made by `alloc_mw` as a box.
    let mw = unsafe { Box::from_raw(mw) };
    // SAFETY: the context of an allocated window is open.
    let fake = unsafe { fake_of(mw.context) };
    fake.made("dealloc_mw");
    let mut state = fake.state();
    state.contract.ends("a window", address);
    state.contract.gone(address);
    state.unbind(address);
    0
}
