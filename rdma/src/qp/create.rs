//! Making queue pairs.

use std::sync::Arc;

use super::{Qp, QpType, Queue, Reset};
use crate::cq::Cq;
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::srq::Srq;
use crate::sys::{Caps, CreateError, ExtendedOps, NoRoom, PdHandle, QpHandle};

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
    extended: ExtendedOps,
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
            extended: ExtendedOps::NONE,
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

    /// With [atomic writes](super::Wr::atomic_write), which only RC queue pairs have. Creating it fails
    /// with [`Error::Unsupported`] where the device, its driver or its provider has none: Soft-RoCE
    /// has them from Linux 6.2 and rdma-core 44 on. Default: without.
    #[doc(alias = "IBV_QP_EX_WITH_ATOMIC_WRITE")]
    #[doc(alias = "ibv_create_qp_ex")]
    #[must_use]
    pub const fn atomic_writes(mut self) -> Self {
        self.extended.atomic_write = true;
        self
    }

    /// With [flushes](super::Wr::flush), which only RC queue pairs have. Creating it fails with
    /// [`Error::Unsupported`] where the device, its driver or its provider has none: Soft-RoCE has
    /// them from Linux 6.2 and rdma-core 45 on. Default: without.
    #[doc(alias = "IBV_QP_EX_WITH_FLUSH")]
    #[doc(alias = "ibv_create_qp_ex")]
    #[must_use]
    pub const fn flushes(mut self) -> Self {
        self.extended.flush = true;
        self
    }
}

pub(crate) fn create<T: QpType>(
    pd: &Arc<PdHandle>,
    send_cq: &Cq,
    recv_cq: &Cq,
    srq: Option<&Srq>,
    cap: QpCap,
) -> Result<Qp<T, Reset>> {
    let caps = Caps {
        send: cap.send,
        recv: cap.recv,
        send_pieces: cap.send_pieces,
        recv_pieces: cap.recv_pieces,
        inline: cap.inline,
        extended: cap.extended,
    };
    let srq = srq.map(Srq::shared);
    QpHandle::create(pd, send_cq.handle(), recv_cq.handle(), srq, T::KIND.0, caps)
        .map(Qp::new)
        .map_err(|error| {
            let device = pd.context().device();
            let (depths, pieces) = ((cap.send, cap.recv), (cap.send_pieces, cap.recv_pieces));
            let object = format!("({}) for {cap:?}", T::NAME);
            creation_error(error, "ibv_create_qp", &object, device, depths, pieces)
        })
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

/// Why there is no queue pair, or shared receive queue. `depths` and `pieces` are what was asked for,
/// of sends and receives.
pub(crate) fn creation_error(
    error: CreateError,
    operation: &'static str,
    object: &str,
    device: &str,
    depths: (u32, u32),
    pieces: (u32, u32),
) -> Error {
    let of = |queue, (send, recv)| match queue {
        Queue::Send => u64::from(send),
        Queue::Recv => u64::from(recv),
    };
    match error {
        CreateError::TooDeep(queue) => Error::OutOfRange {
            what: "queue depth",
            value: of(queue, depths),
            rule: "at most 2^24",
        },
        CreateError::Pieces(queue) => Error::OutOfRange {
            what: "number of buffers in one request",
            value: of(queue, pieces),
            rule: "1 to 1024",
        },
        CreateError::OtherContext(queue) => Error::OtherContext { queue },
        CreateError::NoRoom(queue, room) => no_room(queue, room),
        CreateError::CqFailed(result) => Error::CqFailed { result },
        CreateError::OtherPd => Error::OtherDomain,
        CreateError::NoTag => Error::TooManyQps,
        CreateError::Lacks(ops, lacking) => Error::Unsupported {
            feature: ops.name(),
            device: String::from(device),
            lacking,
        },
        CreateError::Errno(errno) => verb_error(operation, format!("of {device} {object}"), errno),
    }
}
