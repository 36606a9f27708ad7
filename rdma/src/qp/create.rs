//! Making queue pairs.

use std::sync::Arc;

use super::{Qp, QpType, Queue, Reset};
use crate::cq::Cq;
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::sys::{Caps, CreateError, NoRoom, PdHandle, QpHandle};

/// What a queue pair is to have room for.
///
/// The completion queues must have room left for all work requests that may be in flight.
#[doc(alias = "ibv_qp_cap")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QpCap {
    send: u32,
    recv: u32,
    send_pieces: u32,
    recv_pieces: u32,
    inline: u32,
}

impl QpCap {
    /// So many sends and so many receives in flight, each of one buffer; either may be 0.
    #[doc(alias = "max_send_wr")]
    #[doc(alias = "max_recv_wr")]
    #[must_use]
    pub const fn new(send: u32, recv: u32) -> Self {
        QpCap {
            send,
            recv,
            send_pieces: 1,
            recv_pieces: 1,
            inline: 0,
        }
    }

    /// How many sends may be in flight.
    #[must_use]
    pub const fn sends(&self) -> u32 {
        self.send
    }

    /// How many receives may be in flight.
    #[must_use]
    pub const fn recvs(&self) -> u32 {
        self.recv
    }

    /// How many buffers one send, and one receive, may have: 1 to what the device allows
    /// ([`DeviceLimits::max_sge`](crate::DeviceLimits::max_sge)). Default: 1 and 1.
    #[doc(alias = "max_send_sge")]
    #[doc(alias = "max_recv_sge")]
    #[must_use]
    pub const fn pieces(mut self, send: u32, recv: u32) -> Self {
        (self.send_pieces, self.recv_pieces) = (send, recv);
        self
    }

    /// How many bytes a send may carry in itself. Default: 0.
    #[doc(alias = "max_inline_data")]
    #[must_use]
    pub const fn inline(mut self, bytes: u32) -> Self {
        self.inline = bytes;
        self
    }
}

pub(crate) fn create<T: QpType>(
    pd: &Arc<PdHandle>,
    send_cq: &Cq,
    recv_cq: &Cq,
    cap: QpCap,
) -> Result<Qp<T, Reset>> {
    let caps = Caps {
        send: cap.send,
        recv: cap.recv,
        send_pieces: cap.send_pieces,
        recv_pieces: cap.recv_pieces,
        inline: cap.inline,
    };
    QpHandle::create(pd, send_cq.handle(), recv_cq.handle(), T::KIND.0, caps)
        .map(Qp::new)
        .map_err(|error| create_error(error, pd.context().device(), cap))
}

/// There is no room left in the CQ for a queue.
pub(super) fn no_room(queue: Queue, room: NoRoom) -> Error {
    Error::CqFull {
        queue,
        wanted: room.wanted,
        free: room.free,
        capacity: room.capacity,
    }
}

fn create_error(error: CreateError, device: &str, cap: QpCap) -> Error {
    match error {
        CreateError::TooDeep(queue) => {
            let value = match queue {
                Queue::Send => cap.send,
                Queue::Recv => cap.recv,
            };
            Error::OutOfRange {
                what: "queue depth",
                value: u64::from(value),
                rule: "at most 2^24",
            }
        }
        CreateError::Pieces(queue) => Error::OutOfRange {
            what: "number of buffers in one request",
            value: u64::from(match queue {
                Queue::Send => cap.send_pieces,
                Queue::Recv => cap.recv_pieces,
            }),
            rule: "1 to 1024",
        },
        CreateError::OtherContext(queue) => Error::OtherContext { queue },
        CreateError::NoRoom(queue, room) => no_room(queue, room),
        CreateError::CqFailed(result) => Error::CqFailed { result },
        CreateError::NoTag => Error::TooManyQps,
        CreateError::Errno(errno) => {
            let object = format!("of {device} for {cap:?}");
            verb_error("ibv_create_qp", object, errno)
        }
    }
}
