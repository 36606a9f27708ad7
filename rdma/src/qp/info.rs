//! What the device says about a queue pair.

use super::Qpn;
use crate::port::Mtu;
use crate::sys::QpSnapshot;

/// What the device says about a queue pair.
#[doc(alias = "ibv_qp_attr")]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct QpInfo {
    /// The state it is in, which a failure may have changed.
    pub state: QpState,
    /// The path MTU it was given.
    pub path_mtu: Mtu,
    /// The peer's queue pair, once it was given one.
    pub remote: Qpn,
    /// How many sends the device made room for: at least as many as asked for.
    pub max_sends: u32,
    /// How many receives the device made room for.
    pub max_recvs: u32,
    /// How many bytes a send may carry inline.
    pub max_inline: u32,
}

impl QpInfo {
    pub(super) fn new(raw: QpSnapshot) -> Self {
        QpInfo {
            state: QpState::from_raw(raw.state),
            path_mtu: Mtu::from_raw(raw.path_mtu),
            remote: Qpn::from_driver(raw.dest_qpn),
            max_sends: raw.max_send_wr,
            max_recvs: raw.max_recv_wr,
            max_inline: raw.max_inline,
        }
    }
}

crate::raw::driver_enum! {
    /// The state of a queue pair, as the device has it.
    #[doc(alias = "ibv_qp_state")]
    pub enum QpState {
        /// Just created.
        Reset = 0, "IBV_QPS_RESET", "reset";
        /// Receives can be posted.
        Init = 1, "IBV_QPS_INIT", "init";
        /// Ready to receive.
        Rtr = 2, "IBV_QPS_RTR", "ready to receive";
        /// Ready to send.
        Rts = 3, "IBV_QPS_RTS", "ready to send";
        /// Sending is paused.
        Sqd = 4, "IBV_QPS_SQD", "send queue drained";
        /// Sending has failed.
        Sqe = 5, "IBV_QPS_SQE", "send queue error";
        /// Failed, or stopped: everything posted is flushed.
        Err = 6, "IBV_QPS_ERR", "error";
    }
}
