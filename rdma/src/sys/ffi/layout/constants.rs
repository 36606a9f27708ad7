//! Every constant, and its name in C.

use super::super::*;
use super::row::since_45;
use crate::{
    AtomicCap, DeviceCaps, EventKind, GidType, LinkLayer, LinkSpeed, LinkWidth, Mtu, NodeType,
    OdpCaps, OdpWork, PhysState, PortCaps, PortState, QpState, Transport, WcOpcode, WcStatus,
};

/// The enums and flags that are numbers of C's, wherever they are.
macro_rules! sets {
    ($list:ident: $number:ty; $($name:ident),+ $(,)?) => {
        const $list: &[(&str, &[(&str, $number)])] = &[$((stringify!($name), $name::IN_C)),+];
    };
}

sets! {
    ENUMS: u32;
    AtomicCap, EventKind, GidType, LinkLayer, LinkSpeed, LinkWidth, Mtu, NodeType, PhysState,
    PortState, QpState, Transport, WcOpcode, WcStatus,
}

sets! {
    FLAGS: u64;
    DeviceCaps, OdpCaps, OdpWork, PortCaps,
}

/// Whether a name is one of `verbs.h`: it has none for some of the kernel's numbers.
fn is_in_header(name: &str) -> bool {
    name.starts_with("IBV_")
}

/// Values that C has no number for, which say so where they are.
const OWN: &[(&str, u32)] = &[("IBV_TRANSPORT_IWARP", u32::MAX)];

/// Names that rdma-core has from 45 on.
const SINCE_45: &[&str] = &[
    "IBV_WC_FLUSH",
    "IBV_QP_EX_WITH_FLUSH",
    "IBV_FLUSH_GLOBAL",
    "IBV_FLUSH_PERSISTENT",
    "IBV_FLUSH_RANGE",
    "IBV_FLUSH_MR",
];

fn line<N: std::fmt::Display>(name: &str, number: N) -> String {
    let line = format!("CONSTANT({name}, {number});");
    match SINCE_45.contains(&name) {
        true => since_45(&line),
        false => line,
    }
}

macro_rules! constants {
    ($($($path:ident)::+ = $name:literal),+ $(,)?) => {
        pub(super) fn lines() -> Vec<String> {
            let mut lines = vec![$(line($name, $($path)::+)),+];
            let values = ENUMS.iter().flat_map(|(_, values)| *values);
            let values = values.filter(|value| !OWN.contains(value));
            let values = values.map(|(name, number)| (*name, u64::from(*number)));
            let flags = FLAGS.iter().flat_map(|(_, values)| *values).copied();
            let all = values.chain(flags).filter(|(name, _)| is_in_header(name));
            lines.extend(all.map(|(name, number)| line(name, number)));
            lines
        }

        /// The names of the enums and of the flags.
        pub(super) fn enums() -> Vec<&'static str> {
            let enums = ENUMS.iter().map(|(name, _)| *name);
            enums.chain(FLAGS.iter().map(|(name, _)| *name)).collect()
        }

        pub(super) const NAMES: &[&str] = &[$(stringify!($($path)::+)),+];
    };
}

constants! {
    ACCESS_LOCAL_WRITE = "IBV_ACCESS_LOCAL_WRITE",
    ACCESS_ON_DEMAND = "IBV_ACCESS_ON_DEMAND",
    ACCESS_RELAXED_ORDERING = "IBV_ACCESS_RELAXED_ORDERING",
    ACCESS_OPTIONAL_RANGE = "IBV_ACCESS_OPTIONAL_RANGE",
    ODP_SUPPORT = "IBV_ODP_SUPPORT",
    MW_TYPE_2 = "IBV_MW_TYPE_2",
    event_type::CQ_ERR = "IBV_EVENT_CQ_ERR",
    event_type::QP_FATAL = "IBV_EVENT_QP_FATAL",
    event_type::PATH_MIG_ERR = "IBV_EVENT_PATH_MIG_ERR",
    event_type::DEVICE_FATAL = "IBV_EVENT_DEVICE_FATAL",
    event_type::PORT_ACTIVE = "IBV_EVENT_PORT_ACTIVE",
    event_type::SM_CHANGE = "IBV_EVENT_SM_CHANGE",
    event_type::SRQ_ERR = "IBV_EVENT_SRQ_ERR",
    event_type::SRQ_LIMIT_REACHED = "IBV_EVENT_SRQ_LIMIT_REACHED",
    event_type::QP_LAST_WQE_REACHED = "IBV_EVENT_QP_LAST_WQE_REACHED",
    event_type::CLIENT_REREGISTER = "IBV_EVENT_CLIENT_REREGISTER",
    event_type::GID_CHANGE = "IBV_EVENT_GID_CHANGE",
    SRQ_LIMIT = "IBV_SRQ_LIMIT",
    QPF_GRH_REQUIRED = "IBV_QPF_GRH_REQUIRED",
    QPT_RC = "IBV_QPT_RC",
    QPT_UC = "IBV_QPT_UC",
    QPT_UD = "IBV_QPT_UD",
    mask::STATE = "IBV_QP_STATE",
    mask::ACCESS_FLAGS = "IBV_QP_ACCESS_FLAGS",
    mask::PKEY_INDEX = "IBV_QP_PKEY_INDEX",
    mask::PORT = "IBV_QP_PORT",
    mask::QKEY = "IBV_QP_QKEY",
    mask::AV = "IBV_QP_AV",
    mask::PATH_MTU = "IBV_QP_PATH_MTU",
    mask::TIMEOUT = "IBV_QP_TIMEOUT",
    mask::RETRY_CNT = "IBV_QP_RETRY_CNT",
    mask::RNR_RETRY = "IBV_QP_RNR_RETRY",
    mask::RQ_PSN = "IBV_QP_RQ_PSN",
    mask::MAX_QP_RD_ATOMIC = "IBV_QP_MAX_QP_RD_ATOMIC",
    mask::MIN_RNR_TIMER = "IBV_QP_MIN_RNR_TIMER",
    mask::SQ_PSN = "IBV_QP_SQ_PSN",
    mask::MAX_DEST_RD_ATOMIC = "IBV_QP_MAX_DEST_RD_ATOMIC",
    mask::CAP = "IBV_QP_CAP",
    mask::DEST_QPN = "IBV_QP_DEST_QPN",
    state::RESET = "IBV_QPS_RESET",
    state::INIT = "IBV_QPS_INIT",
    state::RTR = "IBV_QPS_RTR",
    state::RTS = "IBV_QPS_RTS",
    state::ERR = "IBV_QPS_ERR",
    opcode::WRITE = "IBV_WR_RDMA_WRITE",
    opcode::WRITE_WITH_IMM = "IBV_WR_RDMA_WRITE_WITH_IMM",
    opcode::SEND = "IBV_WR_SEND",
    opcode::SEND_WITH_IMM = "IBV_WR_SEND_WITH_IMM",
    opcode::READ = "IBV_WR_RDMA_READ",
    opcode::COMPARE_SWAP = "IBV_WR_ATOMIC_CMP_AND_SWP",
    opcode::FETCH_ADD = "IBV_WR_ATOMIC_FETCH_AND_ADD",
    opcode::LOCAL_INVALIDATE = "IBV_WR_LOCAL_INV",
    opcode::BIND_MW = "IBV_WR_BIND_MW",
    opcode::SEND_WITH_INVALIDATE = "IBV_WR_SEND_WITH_INV",
    send_flag::FENCE = "IBV_SEND_FENCE",
    send_flag::SIGNALED = "IBV_SEND_SIGNALED",
    send_flag::SOLICITED = "IBV_SEND_SOLICITED",
    send_flag::INLINE = "IBV_SEND_INLINE",
    wc_flag::GRH = "IBV_WC_GRH",
    wc_flag::WITH_IMM = "IBV_WC_WITH_IMM",
    wc_flag::WITH_INV = "IBV_WC_WITH_INV",
    VALUES_MASK_RAW_CLOCK = "IBV_VALUES_MASK_RAW_CLOCK",
    wc_ex::BYTE_LEN = "IBV_WC_EX_WITH_BYTE_LEN",
    wc_ex::IMM = "IBV_WC_EX_WITH_IMM",
    wc_ex::QP_NUM = "IBV_WC_EX_WITH_QP_NUM",
    wc_ex::SRC_QP = "IBV_WC_EX_WITH_SRC_QP",
    wc_ex::COMPLETION_TIMESTAMP = "IBV_WC_EX_WITH_COMPLETION_TIMESTAMP",
    wc_ex::COMPLETION_TIMESTAMP_WALLCLOCK = "IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK",
    qp_attr_ex::PD = "IBV_QP_INIT_ATTR_PD",
    qp_attr_ex::SEND_OPS_FLAGS = "IBV_QP_INIT_ATTR_SEND_OPS_FLAGS",
    send_ops::FLUSH = "IBV_QP_EX_WITH_FLUSH",
    send_ops::ATOMIC_WRITE = "IBV_QP_EX_WITH_ATOMIC_WRITE",
    placement::GLOBAL = "IBV_FLUSH_GLOBAL",
    placement::PERSISTENT = "IBV_FLUSH_PERSISTENT",
    selectivity::RANGE = "IBV_FLUSH_RANGE",
    selectivity::MR = "IBV_FLUSH_MR",
    WC_SUCCESS = "IBV_WC_SUCCESS",
    WC_SEND = "IBV_WC_SEND",
    WC_RECV_RDMA_WITH_IMM = "IBV_WC_RECV_RDMA_WITH_IMM",
}
