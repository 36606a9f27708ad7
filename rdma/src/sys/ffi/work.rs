//! Work requests and completions.

use std::ffi::c_int;
use std::ptr;

use super::{Cq, Mr, Mw, Qp, Srq};

/// `enum ibv_wr_opcode`.
pub(crate) mod opcode {
    pub(crate) const WRITE: u32 = 0;
    pub(crate) const WRITE_WITH_IMM: u32 = 1;
    pub(crate) const SEND: u32 = 2;
    pub(crate) const SEND_WITH_IMM: u32 = 3;
    pub(crate) const READ: u32 = 4;
    pub(crate) const COMPARE_SWAP: u32 = 5;
    pub(crate) const FETCH_ADD: u32 = 6;
    pub(crate) const LOCAL_INVALIDATE: u32 = 7;
    pub(crate) const BIND_MW: u32 = 8;
    pub(crate) const SEND_WITH_INVALIDATE: u32 = 9;
}

/// `enum ibv_send_flags`.
pub(crate) mod send_flag {
    pub(crate) const FENCE: u32 = 1 << 0;
    pub(crate) const SIGNALED: u32 = 1 << 1;
    pub(crate) const SOLICITED: u32 = 1 << 2;
    pub(crate) const INLINE: u32 = 1 << 3;
}

/// `enum ibv_wc_flags`.
pub(crate) mod wc_flag {
    pub(crate) const GRH: u32 = 1 << 0;
    pub(crate) const WITH_IMM: u32 = 1 << 1;
    pub(crate) const WITH_INV: u32 = 1 << 3;
}

/// `IBV_WC_SUCCESS`.
pub(crate) const WC_SUCCESS: u32 = 0;
/// `IBV_WC_SEND`.
pub(crate) const WC_SEND: u32 = 0;
/// `IBV_WC_RECV_RDMA_WITH_IMM`.
pub(crate) const WC_RECV_RDMA_WITH_IMM: u32 = 129;

/// `ops.post_send` of a context.
pub(crate) type PostSend = unsafe extern "C" fn(*mut Qp, *mut SendWr, *mut *mut SendWr) -> c_int;
/// `ops.post_recv` of a context.
pub(crate) type PostRecv = unsafe extern "C" fn(*mut Qp, *mut RecvWr, *mut *mut RecvWr) -> c_int;
/// `ops.post_srq_recv` of a context.
pub(crate) type PostSrqRecv =
    unsafe extern "C" fn(*mut Srq, *mut RecvWr, *mut *mut RecvWr) -> c_int;
/// `ops.poll_cq` of a context.
pub(crate) type PollCq = unsafe extern "C" fn(*mut Cq, c_int, *mut Wc) -> c_int;

/// `ops.req_notify_cq` of a context.
pub(crate) type ReqNotifyCq = unsafe extern "C" fn(*mut Cq, c_int) -> c_int;

/// `struct ibv_sge`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sge {
    pub(crate) addr: u64,
    pub(crate) length: u32,
    pub(crate) lkey: u32,
}

impl Sge {
    /// No bytes.
    pub(crate) const NOTHING: Sge = Sge {
        addr: 0,
        length: 0,
        lkey: 0,
    };
}

/// `struct ibv_send_wr`; its unions are kept as words of the same size and alignment.
#[repr(C)]
#[derive(Debug)]
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
    pub(crate) bind_or_tso: BindMw,
}

/// `bind_mw` of `struct ibv_send_wr`, the largest of its last union.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct BindMw {
    pub(crate) mw: *mut Mw,
    pub(crate) rkey: u32,
    pub(crate) mr: *mut Mr,
    pub(crate) addr: u64,
    pub(crate) length: u64,
    pub(crate) access: u32,
}

impl BindMw {
    /// None.
    pub(crate) const NOTHING: BindMw = BindMw {
        mw: ptr::null_mut(),
        rkey: 0,
        mr: ptr::null_mut(),
        addr: 0,
        length: 0,
        access: 0,
    };
}

/// `struct ibv_recv_wr`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct RecvWr {
    pub(crate) wr_id: u64,
    pub(crate) next: *mut RecvWr,
    pub(crate) sg_list: *mut Sge,
    pub(crate) num_sge: c_int,
}

impl RecvWr {
    /// One receive into these elements.
    #[inline]
    pub(crate) fn new(wr_id: u64, sg_list: *mut Sge, num_sge: c_int) -> Self {
        RecvWr {
            wr_id,
            next: ptr::null_mut(),
            sg_list,
            num_sge,
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

impl Wc {
    /// All zeros.
    pub(crate) const NOTHING: Wc = Wc {
        wr_id: 0,
        status: 0,
        opcode: 0,
        vendor_err: 0,
        byte_len: 0,
        imm_or_rkey: 0,
        qp_num: 0,
        src_qp: 0,
        wc_flags: 0,
        pkey_index: 0,
        slid: 0,
        sl: 0,
        dlid_path_bits: 0,
    };
}
