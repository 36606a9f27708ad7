//! What a queue pair must know to receive.

use super::Endpoint;
use crate::error::{Error, Result};
use crate::gid::{Gid, GidIndex};
use crate::port::{Mtu, PortNum};
use crate::sys::{AnswerNumbers, GlobalNumbers, PathNumbers, RtrNumbers};
use crate::timer::RnrTimer;

/// What a queue pair must know to receive: whom from, and by which path.
#[derive(Clone, Copy, Debug)]
pub struct RtrAttr {
    remote: Endpoint,
    mtu: Mtu,
    gid_index: Option<GidIndex>,
    hop_limit: u8,
    traffic_class: u8,
    service_level: u8,
    rnr_timer: RnrTimer,
    incoming_reads: u8,
}

impl RtrAttr {
    /// To reach `remote` from the port that the queue pair is bound to, with packets of `mtu` bytes
    /// at most; both sides must use the same MTU.
    #[must_use]
    pub const fn new(remote: Endpoint, mtu: Mtu) -> Self {
        RtrAttr {
            remote,
            mtu,
            gid_index: None,
            hop_limit: 64,
            traffic_class: 0,
            service_level: 0,
            rnr_timer: RnrTimer::DEFAULT,
            incoming_reads: 1,
        }
    }

    /// Addresses the peer by GID, with this line of the own table as the source. Needed on
    /// Ethernet; without it, the peer's LID is the address. Default: none.
    #[doc(alias = "sgid_index")]
    #[must_use]
    pub const fn via_gid(mut self, index: GidIndex) -> Self {
        self.gid_index = Some(index);
        self
    }

    /// How many routers a packet may pass. Default: 64.
    #[must_use]
    pub const fn hop_limit(mut self, hops: u8) -> Self {
        self.hop_limit = hops;
        self
    }

    /// The traffic class of the packets; on RoCE v2 the upper six bits are the DSCP. Default: 0.
    #[must_use]
    pub const fn traffic_class(mut self, class: u8) -> Self {
        self.traffic_class = class;
        self
    }

    /// The InfiniBand service level, 0 to 15; [`Qp::rtr`](crate::Qp::rtr) refuses others. Default: 0.
    #[doc(alias = "sl")]
    #[must_use]
    pub const fn service_level(mut self, level: u8) -> Self {
        self.service_level = level;
        self
    }

    /// How long the peer shall wait when no receive is posted. Default: 0.64 ms.
    #[doc(alias = "min_rnr_timer")]
    #[must_use]
    pub const fn rnr_timer(mut self, timer: RnrTimer) -> Self {
        self.rnr_timer = timer;
        self
    }

    /// How many reads and atomics of the peer may be worked on at once, 0 to what the device allows;
    /// at least what the peer asks for. Default: 1.
    #[doc(alias = "max_dest_rd_atomic")]
    #[must_use]
    pub const fn incoming_reads(mut self, reads: u8) -> Self {
        self.incoming_reads = reads;
        self
    }

    pub(super) const fn remote(&self) -> &Endpoint {
        &self.remote
    }

    pub(super) const fn mtu(&self) -> Mtu {
        self.mtu
    }

    pub(super) const fn gid_index(&self) -> Option<GidIndex> {
        self.gid_index
    }

    /// For a queue pair on `port`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]: kernels cut numbers off rather than refuse them.
    pub(super) fn numbers(&self, port: PortNum, is_reliable: bool) -> Result<RtrNumbers> {
        if let Mtu::Unknown(raw) = self.mtu {
            return Err(Error::OutOfRange {
                what: "path MTU number",
                value: u64::from(raw),
                rule: "1 to 5",
            });
        }
        in_range("service level", self.service_level, 15, "0 to 15")?;
        Ok(RtrNumbers {
            path_mtu: self.mtu.raw(),
            dest_qpn: self.remote.qpn.number(),
            rq_psn: self.remote.psn.number(),
            answers: is_reliable.then(|| AnswerNumbers {
                max_dest_rd_atomic: self.incoming_reads,
                min_rnr_timer: self.rnr_timer.code(),
            }),
            path: PathNumbers {
                port: port.number(),
                dlid: self.remote.lid.0,
                service_level: self.service_level,
                global: self.gid_index.map(|index| GlobalNumbers {
                    dgid: self.remote.gid.map_or([0; 16], Gid::bytes),
                    sgid_index: index.number(),
                    hop_limit: self.hop_limit,
                    traffic_class: self.traffic_class,
                }),
            },
        })
    }
}

/// Checks a number of fewer than eight bits.
pub(crate) fn in_range(what: &'static str, value: u8, max: u8, rule: &'static str) -> Result<()> {
    if value <= max {
        return Ok(());
    }
    let value = u64::from(value);
    Err(Error::OutOfRange { what, value, rule })
}
