//! Work that is over, and work that never began.

use std::fmt;

use super::qp_type::Kind;
use super::{Qpn, Queue};
use crate::cq::{WcOpcode, WcStatus};
use crate::error::{Error, Result};
use crate::mr::{Buf, Bufs, RemoteKey};
use crate::sys::{Health, Refused, Retired, Why, wc_flag};

/// A piece of work that is over, with its buffers.
#[doc(alias = "ibv_wc")]
#[derive(Debug)]
#[must_use = "it holds the buffers"]
#[non_exhaustive]
pub struct Done {
    /// The buffers. After a successful receive they show the message, with the header of a datagram
    /// before it.
    pub bufs: Bufs,
    /// The number that was given when posting.
    #[doc(alias = "wr_id")]
    pub token: u64,
    /// The queue it was posted to.
    pub queue: Queue,
    /// What kind of work it was, if it succeeded and had a completion of its own. Of work that was
    /// [unsignalled](crate::Wr::unsignalled) and is done with a later completion: [`WcOpcode::Send`], whatever it was.
    pub opcode: WcOpcode,
    /// How it ended.
    pub status: WcStatus,
    /// On failure, a number of the driver's own.
    pub vendor_error: u32,
    /// What a receive tells of the message.
    received: Received,
}

/// What a completion tells of the message, as the driver wrote it.
#[derive(Clone, Copy, Debug)]
struct Received {
    bytes: u32,
    imm_or_rkey: u32,
    source: u32,
    flags: u32,
    is_datagram: bool,
}

/// How many bytes of header precede a datagram in its buffers.
pub(crate) const HEADER_LEN: usize = 40;

impl Done {
    #[inline(always)]
    pub(crate) fn new(retired: Retired<'_>, kind: Kind) -> Self {
        let wc = retired.wc;
        Done {
            bufs: retired.bufs,
            token: retired.token,
            queue: retired.queue,
            opcode: WcOpcode::from_raw(wc.opcode),
            status: WcStatus::from_raw(wc.status),
            vendor_error: wc.vendor_err,
            received: Received {
                bytes: wc.byte_len,
                imm_or_rkey: wc.imm_or_rkey,
                source: wc.src_qp,
                flags: wc.wc_flags,
                is_datagram: kind.is_datagram(),
            },
        }
    }

    /// The only buffer; `None` if there was none, or a list.
    #[inline]
    #[must_use]
    pub fn into_buf(self) -> Option<Buf> {
        self.bufs.into_one()
    }

    /// The message that a single buffer received, without a datagram's header (but of a shared receive
    /// queue with it: that does not know what it received); what the buffer shows
    /// after other work. Empty if there is no buffer, or a list.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        let Bufs::One(buf) = &self.bufs else {
            return &[];
        };
        match self.is_received() && self.received.is_datagram {
            true => buf.get(HEADER_LEN..).unwrap_or(&[]),
            false => buf,
        }
    }

    /// How many bytes the driver says were received, with a datagram's header; of a remote write
    /// with immediate, how many it wrote.
    #[doc(alias = "byte_len")]
    #[must_use]
    pub fn received_len(&self) -> u32 {
        if self.is_received() {
            self.received.bytes
        } else {
            0
        }
    }

    /// The 32 bits that came with the message, if any did.
    #[doc(alias = "imm_data")]
    #[doc(alias = "IBV_WC_WITH_IMM")]
    #[must_use]
    pub fn imm(&self) -> Option<u32> {
        self.flagged(wc_flag::WITH_IMM)
            .then(|| u32::from_be(self.received.imm_or_rkey))
    }

    /// The key of this side that the message has taken the validity from, if any. Soft-RoCE (seen on
    /// Linux 6.12) does not tell: it sets another flag.
    #[doc(alias = "invalidated_rkey")]
    #[doc(alias = "IBV_WC_WITH_INV")]
    #[must_use]
    pub fn invalidated(&self) -> Option<RemoteKey> {
        self.flagged(wc_flag::WITH_INV)
            .then(|| RemoteKey::new(self.received.imm_or_rkey))
    }

    /// The queue pair that a datagram came from.
    #[doc(alias = "src_qp")]
    #[must_use]
    pub fn source(&self) -> Option<Qpn> {
        (self.is_received() && self.received.is_datagram)
            .then(|| Qpn::from_driver(self.received.source))
    }

    /// The header of a datagram, if it came with one: 40 bytes, a global route header, or on RoCE v2
    /// over IPv4 an IPv4 header in the last 20.
    #[doc(alias = "IBV_WC_GRH")]
    #[must_use]
    pub fn header(&self) -> Option<&[u8]> {
        let Bufs::One(buf) = &self.bufs else {
            return None;
        };
        let has_header = self.received.is_datagram && self.flagged(wc_flag::GRH);
        has_header.then(|| buf.get(..HEADER_LEN)).flatten()
    }

    fn is_received(&self) -> bool {
        self.queue == Queue::Recv && self.status.is_success()
    }

    fn flagged(&self, flag: u32) -> bool {
        self.is_received() && self.received.flags & flag != 0
    }

    /// An error unless the work was done.
    ///
    /// # Errors
    ///
    /// [`Error::WorkFailed`].
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.status.is_success() {
            return Ok(());
        }
        Err(work_failed(self.queue, self.status, self.vendor_error))
    }
}

#[cold]
fn work_failed(queue: Queue, status: WcStatus, vendor_error: u32) -> Error {
    Error::WorkFailed {
        queue,
        status,
        vendor_error,
    }
}

/// A post that did not go through.
#[derive(Debug)]
#[must_use = "it may hold buffers"]
#[non_exhaustive]
pub struct Rejected {
    /// Why.
    pub error: Error,
    /// The buffers; `None` when the device may have them ([`Error::PostUncertain`]): then they come
    /// back by a completion, or when the queue pair ends.
    pub bufs: Option<Bufs>,
}

impl Rejected {
    #[cold]
    pub(super) fn new(refused: Refused, queue: Queue, qpn: u32) -> Self {
        Rejected {
            error: post_error(refused.why, queue, qpn),
            bufs: refused.bufs,
        }
    }

    /// The only buffer; `None` when the device may have it, or there was none, or a list.
    #[must_use]
    pub fn into_buf(self) -> Option<Buf> {
        self.bufs.and_then(Bufs::into_one)
    }
}

/// Why a post did not go through.
pub(crate) fn post_error(why: Why, queue: Queue, qpn: u32) -> Error {
    let operation = match queue {
        Queue::Send => "ibv_post_send",
        Queue::Recv => "ibv_post_recv",
    };
    match why {
        Why::Full { depth } => Error::QueueFull { queue, depth },
        Why::Blocked { in_flight } => Error::QueueBlocked { queue, in_flight },
        Why::TooLong { len, max } => Error::MessageTooLong { qpn, len, max },
        Why::TooLongInline { len, max } => Error::InlineTooLong { qpn, len, max },
        Why::OtherLength { len, least, most } => Error::WrongLength { len, least, most },
        Why::TooManyBufs { count, max } => Error::TooManyBufs { queue, count, max },
        Why::OtherPd => Error::OtherPd { qpn },
        Why::NotMadeFor => Error::NotMadeFor { qpn },
        Why::Unhealthy(Health::Poisoned) => Error::QpPoisoned { qpn },
        Why::Unhealthy(_) => Error::QpFailed { qpn },
        Why::Refused(errno) => Error::Verb {
            operation,
            object: format!("on QP {qpn}"),
            source: errno.into_io(),
            hint: String::new(),
        },
        Why::Uncertain(errno) => Error::PostUncertain {
            operation,
            qpn,
            source: errno.into_io(),
        },
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Rejected {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl From<Rejected> for Error {
    /// Drops the buffers, which returns them to their regions.
    fn from(rejected: Rejected) -> Self {
        rejected.error
    }
}
