//! The steps a queue pair is taken through, as the C call wants them.

use std::ffi::c_int;

use super::ffi::{self, mask, state};

/// A step to another state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Modify {
    /// RESET to INIT: which port.
    Init { port: u8, pkey_index: u16 },
    /// INIT to RTR: whom to receive from.
    Rtr(RtrNumbers),
    /// RTR to RTS: how to send.
    Rts(RtsNumbers),
    /// Any state to ERR: everything posted is flushed.
    Err,
}

/// The numbers of the step to RTR.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RtrNumbers {
    pub(crate) port: u8,
    pub(crate) path_mtu: u32,
    pub(crate) dest_qpn: u32,
    pub(crate) rq_psn: u32,
    pub(crate) max_dest_rd_atomic: u8,
    pub(crate) min_rnr_timer: u8,
    pub(crate) dlid: u16,
    pub(crate) service_level: u8,
    pub(crate) global: Option<GlobalNumbers>,
}

/// The numbers of a route by GID.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GlobalNumbers {
    pub(crate) dgid: [u8; 16],
    pub(crate) sgid_index: u8,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
}

/// The numbers of the step to RTS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RtsNumbers {
    pub(crate) sq_psn: u32,
    pub(crate) timeout: u8,
    pub(crate) retry_count: u8,
    pub(crate) rnr_retry: u8,
    pub(crate) max_rd_atomic: u8,
}

impl Modify {
    pub(super) fn attr(self) -> (ffi::QpAttr, c_int) {
        match self {
            Modify::Init { port, pkey_index } => (
                // No remote access: what is registered here grants none either.
                ffi::QpAttr {
                    qp_state: state::INIT,
                    port_num: port,
                    pkey_index,
                    ..Default::default()
                },
                mask::STATE | mask::PKEY_INDEX | mask::PORT | mask::ACCESS_FLAGS,
            ),
            Modify::Rtr(rtr) => (
                ffi::QpAttr {
                    qp_state: state::RTR,
                    path_mtu: rtr.path_mtu,
                    dest_qp_num: rtr.dest_qpn,
                    rq_psn: rtr.rq_psn,
                    max_dest_rd_atomic: rtr.max_dest_rd_atomic,
                    min_rnr_timer: rtr.min_rnr_timer,
                    ah_attr: address(&rtr),
                    ..Default::default()
                },
                mask::STATE
                    | mask::AV
                    | mask::PATH_MTU
                    | mask::DEST_QPN
                    | mask::RQ_PSN
                    | mask::MAX_DEST_RD_ATOMIC
                    | mask::MIN_RNR_TIMER,
            ),
            Modify::Rts(rts) => (
                ffi::QpAttr {
                    qp_state: state::RTS,
                    sq_psn: rts.sq_psn,
                    timeout: rts.timeout,
                    retry_cnt: rts.retry_count,
                    rnr_retry: rts.rnr_retry,
                    max_rd_atomic: rts.max_rd_atomic,
                    ..Default::default()
                },
                mask::STATE
                    | mask::SQ_PSN
                    | mask::TIMEOUT
                    | mask::RETRY_CNT
                    | mask::RNR_RETRY
                    | mask::MAX_QP_RD_ATOMIC,
            ),
            Modify::Err => (
                ffi::QpAttr {
                    qp_state: state::ERR,
                    ..Default::default()
                },
                mask::STATE,
            ),
        }
    }
}

fn address(rtr: &RtrNumbers) -> ffi::AhAttr {
    let grh = rtr
        .global
        .map_or_else(ffi::GlobalRoute::default, |global| ffi::GlobalRoute {
            dgid: ffi::Gid { raw: global.dgid },
            flow_label: 0,
            sgid_index: global.sgid_index,
            hop_limit: global.hop_limit,
            traffic_class: global.traffic_class,
        });
    ffi::AhAttr {
        grh,
        dlid: rtr.dlid,
        sl: rtr.service_level,
        is_global: u8::from(rtr.global.is_some()),
        port_num: rtr.port,
        ..Default::default()
    }
}
