//! Every constant, and its name in C.

use super::super::*;
use crate::{GidType, LinkLayer, Mtu, NodeType, PortState, QpState, Transport, WcOpcode, WcStatus};

/// The enums that are numbers of C's, wherever they are.
macro_rules! enums {
    ($($name:ident),+ $(,)?) => {
        const ENUMS: &[(&str, &[(&str, u32)])] = &[$((stringify!($name), $name::IN_C)),+];
    };
}

enums! {
    GidType, LinkLayer, Mtu, NodeType, PortState, QpState, Transport, WcOpcode, WcStatus,
}

/// Values that C has no number for, which say so where they are.
const OWN: &[(&str, u32)] = &[("IBV_TRANSPORT_IWARP", u32::MAX)];

macro_rules! constants {
    ($($($path:ident)::+ = $name:literal),+ $(,)?) => {
        pub(super) fn lines() -> Vec<String> {
            let mut lines = vec![$(format!("CONSTANT({}, {});", $name, $($path)::+)),+];
            let values = ENUMS.iter().flat_map(|(_, values)| *values);
            let values = values.filter(|value| !OWN.contains(value));
            lines.extend(values.map(|(name, number)| format!("CONSTANT({name}, {number});")));
            lines
        }

        /// The names of the enums.
        pub(super) fn enums() -> Vec<&'static str> {
            ENUMS.iter().map(|(name, _)| *name).collect()
        }

        pub(super) const NAMES: &[&str] = &[$(stringify!($($path)::+)),+];
    };
}

constants! {
    ACCESS_LOCAL_WRITE = "IBV_ACCESS_LOCAL_WRITE",
    MW_TYPE_2 = "IBV_MW_TYPE_2",
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
    WC_SUCCESS = "IBV_WC_SUCCESS",
    WC_SEND = "IBV_WC_SEND",
    WC_RECV_RDMA_WITH_IMM = "IBV_WC_RECV_RDMA_WITH_IMM",
}
