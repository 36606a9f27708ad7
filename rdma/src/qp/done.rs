//! Work that is over, and work that never began.

use std::fmt;

use super::Queue;
use crate::cq::{WcOpcode, WcStatus};
use crate::error::{Error, Result};
use crate::mr::Buf;
use crate::sys::{Health, Refused, Retired, Why};

/// A piece of work that is over, with its buffer.
#[doc(alias = "ibv_wc")]
#[derive(Debug)]
#[must_use = "it holds the buffer"]
#[non_exhaustive]
pub struct Done {
    /// The buffer. After a successful receive it shows the message.
    pub buf: Buf,
    /// The number that was given when posting.
    #[doc(alias = "wr_id")]
    pub token: u64,
    /// The queue it was posted to.
    pub queue: Queue,
    /// What kind of work it was, if it succeeded.
    pub opcode: WcOpcode,
    /// How it ended.
    pub status: WcStatus,
    /// On failure, a number of the driver's own.
    pub vendor_error: u32,
}

impl Done {
    #[inline]
    pub(super) fn new(retired: Retired) -> Self {
        Done {
            buf: retired.buf,
            token: retired.token,
            queue: retired.queue,
            opcode: WcOpcode::from_raw(retired.opcode),
            status: WcStatus::from_raw(retired.status),
            vendor_error: retired.vendor_error,
        }
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
        let Done {
            queue,
            status,
            vendor_error,
            ..
        } = *self;
        Err(Error::WorkFailed {
            queue,
            status,
            vendor_error,
        })
    }
}

/// A post that did not go through.
#[derive(Debug)]
#[must_use = "it may hold the buffer"]
#[non_exhaustive]
pub struct Rejected {
    /// Why.
    pub error: Error,
    /// The buffer; `None` when the device may have it ([`Error::PostUncertain`]): then it comes
    /// back by a completion, or when the queue pair ends.
    pub buf: Option<Buf>,
}

impl Rejected {
    #[cold]
    pub(super) fn new(refused: Refused, queue: Queue, qpn: u32) -> Self {
        let operation = match queue {
            Queue::Send => "ibv_post_send",
            Queue::Recv => "ibv_post_recv",
        };
        let error = match refused.why {
            Why::Full { depth } => Error::QueueFull { queue, depth },
            Why::Blocked { in_flight } => Error::QueueBlocked { queue, in_flight },
            Why::TooLong { len, max } => Error::MessageTooLong { qpn, len, max },
            Why::OtherPd => Error::OtherPd { qpn },
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
        };
        Rejected {
            error,
            buf: refused.buf,
        }
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
    /// Drops the buffer, which returns it to its region.
    fn from(rejected: Rejected) -> Self {
        rejected.error
    }
}
