//! Extended completion queues and queue pairs.

use std::ffi::{c_int, c_void};

use super::{CompChannel, Cq, Pd, Qp, QpCap, Srq};

/// Bits of `enum ibv_create_cq_wc_flags`.
pub(crate) mod wc_ex {
    pub(crate) const BYTE_LEN: u64 = 1 << 0;
    pub(crate) const IMM: u64 = 1 << 1;
    pub(crate) const QP_NUM: u64 = 1 << 2;
    pub(crate) const SRC_QP: u64 = 1 << 3;
    pub(crate) const COMPLETION_TIMESTAMP: u64 = 1 << 7;
    pub(crate) const COMPLETION_TIMESTAMP_WALLCLOCK: u64 = 1 << 11;
}

/// `struct ibv_cq_init_attr_ex`.
#[repr(C)]
pub(crate) struct CqInitAttrEx {
    pub(crate) cqe: u32,
    pub(crate) cq_context: *mut c_void,
    pub(crate) channel: *mut CompChannel,
    pub(crate) comp_vector: u32,
    pub(crate) wc_flags: u64,
    pub(crate) comp_mask: u32,
    pub(crate) flags: u32,
    pub(crate) parent_domain: *mut Pd,
}

/// `struct ibv_poll_cq_attr`.
#[repr(C)]
pub(crate) struct PollCqAttr {
    pub(crate) comp_mask: u32,
}

/// `start_poll` of an extended completion queue.
pub(crate) type StartPoll = unsafe extern "C" fn(*mut CqEx, *mut PollCqAttr) -> c_int;
/// `next_poll` of an extended completion queue.
pub(crate) type NextPoll = unsafe extern "C" fn(*mut CqEx) -> c_int;
/// `end_poll` of an extended completion queue.
pub(crate) type EndPoll = unsafe extern "C" fn(*mut CqEx);
/// A member of an extended completion queue that reads 32 bits of the current completion.
pub(crate) type Read32 = unsafe extern "C" fn(*mut CqEx) -> u32;
/// A member of an extended completion queue that reads 64 bits of the current completion.
pub(crate) type Read64 = unsafe extern "C" fn(*mut CqEx) -> u64;

/// `struct ibv_cq_ex`. Which of its functions there are depends on what was asked for.
#[repr(C)]
pub(crate) struct CqEx {
    pub(crate) base: Cq,
    pub(crate) comp_mask: u32,
    pub(crate) status: u32,
    pub(crate) wr_id: u64,
    pub(crate) start_poll: Option<StartPoll>,
    pub(crate) next_poll: Option<NextPoll>,
    pub(crate) end_poll: Option<EndPoll>,
    pub(crate) read_opcode: Option<Read32>,
    pub(crate) read_vendor_err: Option<Read32>,
    pub(crate) read_byte_len: Option<Read32>,
    pub(crate) read_imm_data: Option<Read32>,
    pub(crate) read_qp_num: Option<Read32>,
    pub(crate) read_src_qp: Option<Read32>,
    pub(crate) read_wc_flags: Option<Read32>,
    pub(crate) read_slid_to_dlid_path_bits: [*mut c_void; 3],
    pub(crate) read_completion_ts: Option<Read64>,
    pub(crate) read_cvlan_to_tm_info: [*mut c_void; 3],
    pub(crate) read_completion_wallclock_ns: Option<Read64>,
}

/// Bits of `enum ibv_qp_init_attr_mask`.
pub(crate) mod qp_attr_ex {
    pub(crate) const PD: u32 = 1 << 0;
    pub(crate) const SEND_OPS_FLAGS: u32 = 1 << 6;
}

/// Bits of `enum ibv_qp_create_send_ops_flags`.
pub(crate) mod send_ops {
    pub(crate) const FLUSH: u64 = 1 << 11;
    pub(crate) const ATOMIC_WRITE: u64 = 1 << 12;
}

/// `struct ibv_rx_hash_conf`.
#[repr(C)]
pub(crate) struct RxHashConf {
    pub(crate) rx_hash_function: u8,
    pub(crate) rx_hash_key_len: u8,
    pub(crate) rx_hash_key: *mut u8,
    pub(crate) rx_hash_fields_mask: u64,
}

/// `struct ibv_qp_init_attr_ex`.
#[repr(C)]
pub(crate) struct QpInitAttrEx {
    pub(crate) qp_context: *mut c_void,
    pub(crate) send_cq: *mut Cq,
    pub(crate) recv_cq: *mut Cq,
    pub(crate) srq: *mut Srq,
    pub(crate) cap: QpCap,
    pub(crate) qp_type: u32,
    pub(crate) sq_sig_all: c_int,
    pub(crate) comp_mask: u32,
    pub(crate) pd: *mut Pd,
    pub(crate) xrcd: *mut c_void,
    pub(crate) create_flags: u32,
    pub(crate) max_tso_header: u16,
    pub(crate) rwq_ind_tbl: *mut c_void,
    pub(crate) rx_hash_conf: RxHashConf,
    pub(crate) source_qpn: u32,
    pub(crate) send_ops_flags: u64,
}

/// `wr_atomic_write` of an extended queue pair.
pub(crate) type WrAtomicWrite = unsafe extern "C" fn(*mut QpEx, u32, u64, *const c_void);
/// `wr_flush` of an extended queue pair.
pub(crate) type WrFlush = unsafe extern "C" fn(*mut QpEx, u32, u64, usize, u8, u8);
/// `wr_start` and `wr_abort` of an extended queue pair.
pub(crate) type WrStart = unsafe extern "C" fn(*mut QpEx);
/// `wr_complete` of an extended queue pair.
pub(crate) type WrComplete = unsafe extern "C" fn(*mut QpEx) -> c_int;

/// `struct ibv_qp_ex` up to `wr_atomic_write`.
#[repr(C)]
pub(crate) struct QpEx {
    pub(crate) qp_base: Qp,
    pub(crate) comp_mask: u64,
    pub(crate) wr_id: u64,
    pub(crate) wr_flags: u32,
    pub(crate) wr_atomic_cmp_swp_to_wr_set_sge_list: [*mut c_void; 17],
    pub(crate) wr_start: Option<WrStart>,
    pub(crate) wr_complete: Option<WrComplete>,
    pub(crate) wr_abort: Option<WrStart>,
    /// Only of a queue pair that was made for it: before rdma-core 44, the struct ends here.
    pub(crate) wr_atomic_write: Option<WrAtomicWrite>,
}

/// `struct ibv_qp_ex` from rdma-core 45 on.
#[repr(C)]
pub(crate) struct QpEx45 {
    pub(crate) ex: QpEx,
    pub(crate) wr_flush: Option<WrFlush>,
}

/// Values of `enum ibv_placement_type`.
pub(crate) mod placement {
    pub(crate) const GLOBAL: u8 = 1 << 0;
    pub(crate) const PERSISTENT: u8 = 1 << 1;
}

/// Values of `enum ibv_selectivity_level`.
pub(crate) mod selectivity {
    pub(crate) const RANGE: u8 = 0;
    pub(crate) const MR: u8 = 1;
}
