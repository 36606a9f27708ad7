//! The data path of the fake device. It sets no limit of its own: real ones accept more than they
//! say.

use std::ffi::c_int;

use super::super::ffi;
use super::super::wr_id::Queue;
use super::objects::fake_of;
use super::state::{BadWr, Posted, State};

/// # Safety
/// As `ibv_post_send`.
pub(super) unsafe extern "C" fn post_send(
    qp: *mut ffi::Qp,
    wr: *mut ffi::SendWr,
    bad: *mut *mut ffi::SendWr,
) -> c_int {
    // SAFETY: the caller's promise.
    let qp = unsafe { &*qp };
    // SAFETY: the caller's promise.
    let request = unsafe { &*wr };
    assert!(request.next.is_null() && request.num_sge == 1);
    // SAFETY: one element, as the caller says.
    let sge = unsafe { *request.sg_list };
    let posted = Posted {
        wr_id: request.wr_id,
        queue: Queue::Send,
        qp_num: qp.qp_num,
        cq: qp.send_cq.addr(),
        signalled: request.send_flags & ffi::SEND_SIGNALED != 0,
        address: sge.addr,
        length: sge.length,
        lkey: sge.lkey,
    };
    // SAFETY: the context of an existing QP is open.
    let (result, bad_wr) = accept(&mut unsafe { fake_of(qp.context) }.state(), posted);
    match bad_wr {
        // SAFETY: `bad` is an out-pointer.
        Some(BadWr::Own) => unsafe { *bad = wr },
        // SAFETY: as above.
        Some(BadWr::Foreign) => unsafe { *bad = std::ptr::dangling_mut() },
        Some(BadWr::Null) | None => {}
    }
    result
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
    let request = unsafe { &*wr };
    assert!(request.next.is_null() && request.num_sge == 1);
    // SAFETY: one element, as the caller says.
    let sge = unsafe { *request.sg_list };
    let posted = Posted {
        wr_id: request.wr_id,
        queue: Queue::Recv,
        qp_num: qp.qp_num,
        cq: qp.recv_cq.addr(),
        signalled: true,
        address: sge.addr,
        length: sge.length,
        lkey: sge.lkey,
    };
    // SAFETY: the context of an existing QP is open.
    let (result, bad_wr) = accept(&mut unsafe { fake_of(qp.context) }.state(), posted);
    match bad_wr {
        // SAFETY: `bad` is an out-pointer.
        Some(BadWr::Own) => unsafe { *bad = wr },
        // SAFETY: as above.
        Some(BadWr::Foreign) => unsafe { *bad = std::ptr::dangling_mut() },
        Some(BadWr::Null) | None => {}
    }
    result
}

fn accept(state: &mut State, posted: Posted) -> (c_int, Option<BadWr>) {
    match state.fail_next_post.take() {
        Some(failure) => {
            if failure.queued {
                state.posted.push_back(posted);
            }
            (failure.result, Some(failure.bad_wr))
        }
        None => {
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
