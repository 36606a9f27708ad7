//! Making queue pairs.

use std::sync::Arc;

use super::{Qp, Queue, Reset};
use crate::cq::Cq;
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::sys::{CreateError, Depths, PdHandle, QpHandle};

/// How many work requests each queue of a queue pair may have in flight.
///
/// The completion queues must have that much room left.
#[doc(alias = "ibv_qp_cap")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QpDepth {
    /// Sends.
    #[doc(alias = "max_send_wr")]
    pub send: u32,
    /// Receives.
    #[doc(alias = "max_recv_wr")]
    pub recv: u32,
}

impl QpDepth {
    /// So many sends and so many receives; either may be 0.
    #[must_use]
    pub const fn new(send: u32, recv: u32) -> Self {
        QpDepth { send, recv }
    }
}

pub(crate) fn create(
    pd: &Arc<PdHandle>,
    send_cq: &Cq,
    recv_cq: &Cq,
    depth: QpDepth,
) -> Result<Qp<Reset>> {
    let depths = Depths {
        send: depth.send,
        recv: depth.recv,
    };
    QpHandle::create(pd, send_cq.handle(), recv_cq.handle(), depths)
        .map(Qp::new)
        .map_err(|error| create_error(error, pd.context().device(), depth))
}

fn create_error(error: CreateError, device: &str, depth: QpDepth) -> Error {
    match error {
        CreateError::TooDeep(queue) => {
            let value = match queue {
                Queue::Send => depth.send,
                Queue::Recv => depth.recv,
            };
            Error::OutOfRange {
                what: "queue depth",
                value: u64::from(value),
                rule: "at most 2^24",
            }
        }
        CreateError::OtherContext(queue) => Error::OtherContext { queue },
        CreateError::NoRoom(queue, room) => Error::CqFull {
            queue,
            wanted: room.wanted,
            free: room.free,
            capacity: room.capacity,
        },
        CreateError::CqFailed(result) => Error::CqFailed { result },
        CreateError::NoTag => Error::TooManyQps,
        CreateError::Errno(errno) => {
            let QpDepth { send, recv } = depth;
            let object = format!("of {device} for {send} sends and {recv} receives");
            verb_error("ibv_create_qp", object, errno)
        }
    }
}
