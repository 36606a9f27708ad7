//! Work requests and completions.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::{Cq, Qp};

/// `IBV_WR_SEND`.
pub(crate) const WR_SEND: u32 = 2;
/// `IBV_SEND_SIGNALED`.
pub(crate) const SEND_SIGNALED: u32 = 1 << 1;
/// `IBV_WC_SUCCESS`.
pub(crate) const WC_SUCCESS: u32 = 0;
/// `IBV_WC_SEND`.
pub(crate) const WC_SEND: u32 = 0;

/// `ops.post_send` of a context.
pub(crate) type PostSend = unsafe extern "C" fn(*mut Qp, *mut SendWr, *mut *mut SendWr) -> c_int;
/// `ops.post_recv` of a context.
pub(crate) type PostRecv = unsafe extern "C" fn(*mut Qp, *mut RecvWr, *mut *mut RecvWr) -> c_int;
/// `ops.poll_cq` of a context.
pub(crate) type PollCq = unsafe extern "C" fn(*mut Cq, c_int, *mut Wc) -> c_int;

/// `struct ibv_sge`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Sge {
    pub(crate) addr: u64,
    pub(crate) length: u32,
    pub(crate) lkey: u32,
}

/// `struct ibv_send_wr`; its unions are kept as words of the same size and alignment.
#[repr(C)]
pub(crate) struct SendWr {
    pub(crate) wr_id: u64,
    pub(crate) next: *mut SendWr,
    pub(crate) sg_list: *mut Sge,
    pub(crate) num_sge: c_int,
    pub(crate) opcode: u32,
    pub(crate) send_flags: u32,
    pub(crate) imm_or_rkey: u32,
    pub(crate) wr: [u64; 4],
    pub(crate) remote_srqn: u32,
    pub(crate) bind_or_tso: [*mut c_void; 6],
}

impl SendWr {
    /// One SEND of one gather element.
    #[inline]
    pub(crate) fn send(wr_id: u64, sge: &mut Sge, send_flags: u32) -> Self {
        SendWr {
            wr_id,
            next: ptr::null_mut(),
            sg_list: sge,
            num_sge: 1,
            opcode: WR_SEND,
            send_flags,
            imm_or_rkey: 0,
            wr: [0; 4],
            remote_srqn: 0,
            bind_or_tso: [ptr::null_mut(); 6],
        }
    }
}

/// `struct ibv_recv_wr`.
#[repr(C)]
pub(crate) struct RecvWr {
    pub(crate) wr_id: u64,
    pub(crate) next: *mut RecvWr,
    pub(crate) sg_list: *mut Sge,
    pub(crate) num_sge: c_int,
}

impl RecvWr {
    /// One receive of one scatter element.
    #[inline]
    pub(crate) fn new(wr_id: u64, sge: &mut Sge) -> Self {
        RecvWr {
            wr_id,
            next: ptr::null_mut(),
            sg_list: sge,
            num_sge: 1,
        }
    }
}

/// `struct ibv_wc`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wc {
    pub(crate) wr_id: u64,
    pub(crate) status: u32,
    pub(crate) opcode: u32,
    pub(crate) vendor_err: u32,
    pub(crate) byte_len: u32,
    pub(crate) imm_or_rkey: u32,
    pub(crate) qp_num: u32,
    pub(crate) src_qp: u32,
    pub(crate) wc_flags: u32,
    pub(crate) pkey_index: u16,
    pub(crate) slid: u16,
    pub(crate) sl: u8,
    pub(crate) dlid_path_bits: u8,
}
