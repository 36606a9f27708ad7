//! The steps a queue pair is taken through, as the C call wants them.

use std::ffi::c_int;

use super::ffi::{self, mask, state};

/// A step to another state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Modify {
    /// RESET to INIT: which port, and what peers may do.
    Init {
        port: u8,
        pkey_index: u16,
        rights: Rights,
    },
    /// INIT to RTR: whom to receive from.
    Rtr(RtrNumbers),
    /// INIT to RTR, without a peer.
    RtrDatagram,
    /// RTR to RTS: how to send.
    Rts(RtsNumbers),
    /// Any state to ERR: everything posted is flushed.
    Err,
    /// Any state to RESET: everything posted is forgotten.
    Reset,
}

/// Who may do what to a queue pair.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rights {
    /// Bits of `enum ibv_access_flags`, for the peer.
    Access(u32),
    /// For whoever knows this key.
    Qkey(u32),
}

/// The numbers of the step to RTR.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RtrNumbers {
    pub(crate) path: PathNumbers,
    pub(crate) path_mtu: u32,
    pub(crate) dest_qpn: u32,
    pub(crate) rq_psn: u32,
    /// `None` for a queue pair that answers nothing.
    pub(crate) answers: Option<AnswerNumbers>,
}

/// How to answer a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerNumbers {
    pub(crate) max_dest_rd_atomic: u8,
    pub(crate) min_rnr_timer: u8,
}

/// The way to a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathNumbers {
    pub(crate) port: u8,
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
    /// `None` for a queue pair that waits for no answers.
    pub(crate) retries: Option<RetryNumbers>,
}

/// How to wait for the peer's answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryNumbers {
    pub(crate) timeout: u8,
    pub(crate) retry_count: u8,
    pub(crate) rnr_retry: u8,
    pub(crate) max_rd_atomic: u8,
}

impl Modify {
    pub(super) fn attr(self) -> (ffi::QpAttr, c_int) {
        let mut attr = ffi::QpAttr::default();
        let mut wanted = mask::STATE;
        match self {
            Modify::Init {
                port,
                pkey_index,
                rights,
            } => {
                attr.qp_state = state::INIT;
                (attr.port_num, attr.pkey_index) = (port, pkey_index);
                wanted |= mask::PKEY_INDEX | mask::PORT;
                match rights {
                    Rights::Access(access) => {
                        attr.qp_access_flags = access;
                        wanted |= mask::ACCESS_FLAGS;
                    }
                    Rights::Qkey(qkey) => {
                        attr.qkey = qkey;
                        wanted |= mask::QKEY;
                    }
                }
            }
            Modify::Rtr(rtr) => {
                attr.qp_state = state::RTR;
                (attr.path_mtu, attr.dest_qp_num) = (rtr.path_mtu, rtr.dest_qpn);
                (attr.rq_psn, attr.ah_attr) = (rtr.rq_psn, rtr.path.ah_attr());
                wanted |= mask::AV | mask::PATH_MTU | mask::DEST_QPN | mask::RQ_PSN;
                if let Some(answers) = rtr.answers {
                    attr.max_dest_rd_atomic = answers.max_dest_rd_atomic;
                    attr.min_rnr_timer = answers.min_rnr_timer;
                    wanted |= mask::MAX_DEST_RD_ATOMIC | mask::MIN_RNR_TIMER;
                }
            }
            Modify::RtrDatagram => attr.qp_state = state::RTR,
            Modify::Rts(rts) => {
                attr.qp_state = state::RTS;
                attr.sq_psn = rts.sq_psn;
                wanted |= mask::SQ_PSN;
                if let Some(retries) = rts.retries {
                    (attr.timeout, attr.retry_cnt) = (retries.timeout, retries.retry_count);
                    (attr.rnr_retry, attr.max_rd_atomic) =
                        (retries.rnr_retry, retries.max_rd_atomic);
                    wanted |=
                        mask::TIMEOUT | mask::RETRY_CNT | mask::RNR_RETRY | mask::MAX_QP_RD_ATOMIC;
                }
            }
            Modify::Err => attr.qp_state = state::ERR,
            Modify::Reset => attr.qp_state = state::RESET,
        }
        (attr, wanted)
    }
}

impl PathNumbers {
    pub(super) fn ah_attr(&self) -> ffi::AhAttr {
        let grh = self
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
            dlid: self.dlid,
            sl: self.service_level,
            is_global: u8::from(self.global.is_some()),
            port_num: self.port,
            ..Default::default()
        }
    }
}
