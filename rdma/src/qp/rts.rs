//! What a queue pair must know to send.

use std::fmt;

use super::Psn;
use super::rtr::in_range;
use crate::error::Result;
use crate::sys::{RetryNumbers, RtsNumbers};
use crate::timer::AckTimeout;

/// What a queue pair must know to send: its first packet's number, and how patient to be.
#[derive(Clone, Copy, Debug)]
pub struct RtsAttr {
    psn: Psn,
    timeout: AckTimeout,
    retries: u8,
    rnr_retries: u8,
    outgoing_reads: u8,
}

impl RtsAttr {
    /// To send with `psn` as the first packet's number: the one that the peer was told.
    #[must_use]
    pub const fn new(psn: Psn) -> Self {
        RtsAttr {
            psn,
            timeout: AckTimeout::DEFAULT,
            retries: 7,
            rnr_retries: 7,
            outgoing_reads: 1,
        }
    }

    /// How long to wait for an acknowledgement. Default: 67 ms.
    #[doc(alias = "timeout")]
    #[must_use]
    pub const fn ack_timeout(mut self, timeout: AckTimeout) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often to send again when no acknowledgement comes, 0 to 7; [`Qp::rts`](crate::Qp::rts) refuses
    /// others. Default: 7.
    ///
    /// Soft-RoCE takes 7 to mean for ever: to notice there that a peer is gone, ask for 6.
    #[doc(alias = "retry_cnt")]
    #[must_use]
    pub const fn retries(mut self, retries: u8) -> Self {
        self.retries = retries;
        self
    }

    /// How often to send again when the peer has no receive posted, 0 to 6; 7 means for ever;
    /// [`Qp::rts`](crate::Qp::rts) refuses others. Default: 7.
    #[doc(alias = "rnr_retry")]
    #[must_use]
    pub const fn rnr_retries(mut self, retries: u8) -> Self {
        self.rnr_retries = retries;
        self
    }

    /// How many reads and atomics may be on the way at once, 0 to what the device allows; at most
    /// what the peer takes. Default: 1.
    #[doc(alias = "max_rd_atomic")]
    #[must_use]
    pub const fn outgoing_reads(mut self, reads: u8) -> Self {
        self.outgoing_reads = reads;
        self
    }

    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange).
    pub(super) fn numbers(&self, is_reliable: bool) -> Result<RtsNumbers> {
        in_range("retries", self.retries, 7, "0 to 7")?;
        in_range("RNR retries", self.rnr_retries, 7, "0 to 7")?;
        Ok(RtsNumbers {
            sq_psn: self.psn.number(),
            retries: is_reliable.then(|| RetryNumbers {
                timeout: self.timeout.code(),
                retry_count: self.retries,
                rnr_retry: self.rnr_retries,
                max_rd_atomic: self.outgoing_reads,
            }),
        })
    }
}

impl fmt::Display for RtsAttr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RtsAttr {
            timeout,
            retries,
            rnr_retries,
            ..
        } = self;
        let step = timeout.code();
        write!(
            f,
            " (ack timeout step {step}, {retries} retries, {rnr_retries} RNR retries)"
        )
    }
}
