//! Making a queue pair.

use std::ffi::c_int;
use std::mem::{self, ManuallyDrop};
use std::ptr;
use std::sync::Arc;

use super::super::cq::CqHandle;
use super::super::errno::Errno;
use super::super::ffi;
use super::super::flight::{MAX_DEPTH, RecvFlight, SendFlight};
use super::super::leaks::{Leak, leaked};
use super::super::pd::PdHandle;
use super::super::room::NoRoom;
use super::super::tag::TagLease;
use super::super::wr_id::Queue;
use super::{Flight, Health, QpHandle};

/// How many work requests each queue may have in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depths {
    pub(crate) send: u32,
    pub(crate) recv: u32,
}

/// Why there is no queue pair.
#[derive(Debug)]
pub(crate) enum CreateError {
    /// A queue deeper than the crate supports.
    TooDeep(Queue),
    /// The CQ for this queue belongs to another open device.
    OtherContext(Queue),
    /// The CQ for this queue has not enough entries left.
    NoRoom(Queue, NoRoom),
    /// Polling a CQ failed before, with this result.
    CqFailed(c_int),
    /// 2^31 - 1 queue pairs are alive or not yet forgotten.
    NoTag,
    /// The library refused.
    Errno(Errno),
}

impl QpHandle {
    pub(crate) fn create(
        pd: &Arc<PdHandle>,
        send_cq: &Arc<CqHandle>,
        recv_cq: &Arc<CqHandle>,
        depths: Depths,
    ) -> Result<Self, CreateError> {
        let context = pd.context();
        for (queue, cq, depth) in [
            (Queue::Send, send_cq, depths.send),
            (Queue::Recv, recv_cq, depths.recv),
        ] {
            if depth > MAX_DEPTH {
                return Err(CreateError::TooDeep(queue));
            }
            if !Arc::ptr_eq(cq.context(), context) {
                return Err(CreateError::OtherContext(queue));
            }
            if let Some(result) = cq.failed() {
                return Err(CreateError::CqFailed(result));
            }
        }
        let missing = || CreateError::Errno(Errno::new(libc::EOPNOTSUPP));
        let post_send = context.post_send().ok_or_else(missing)?;
        let post_recv = context.post_recv().ok_or_else(missing)?;
        let room = |cq: &Arc<CqHandle>, queue, depth| {
            cq.reserve(depth)
                .map_err(|no_room| CreateError::NoRoom(queue, no_room))
        };
        let rooms = [
            room(send_cq, Queue::Send, depths.send)?,
            room(recv_cq, Queue::Recv, depths.recv)?,
        ];
        let mut attr = ffi::QpInitAttr {
            qp_context: ptr::null_mut(),
            send_cq: send_cq.raw().as_ptr(),
            recv_cq: recv_cq.raw().as_ptr(),
            srq: ptr::null_mut(),
            cap: ffi::QpCap {
                // Some providers refuse a queue of depth 0; the table of depth 0 refuses every
                // post.
                max_send_wr: depths.send.max(1),
                max_recv_wr: depths.recv.max(1),
                max_send_sge: 1,
                max_recv_sge: 1,
                max_inline_data: 0,
            },
            qp_type: ffi::QPT_RC,
            sq_sig_all: 0,
        };
        // SAFETY: a `PdHandle` is allocated; the CQs exist, and in the same context (checked
        // above).
        let raw = unsafe { context.verbs().create_qp(pd.raw(), &mut attr) }
            .map_err(CreateError::Errno)?;
        // Only now: a program that fails to create queue pairs uses up no tags.
        let Some(lease) = TagLease::take() else {
            // SAFETY: just created, and not used.
            if unsafe { context.verbs().destroy_qp(raw) }.is_err() {
                leaked(Leak::Qp);
                mem::forget((rooms, Arc::clone(pd)));
            }
            return Err(CreateError::NoTag);
        };
        #[cfg(test)]
        let lease = super::super::defect::reused_tag().map_or(lease, TagLease::again);
        // SAFETY: just created, so its fields may be read.
        let number = unsafe { (*raw.as_ptr()).qp_num };
        Ok(QpHandle {
            raw,
            post_send,
            post_recv,
            tag: lease.tag(),
            health: Health::Good,
            number,
            max_message: u32::MAX,
            flight: ManuallyDrop::new(Flight {
                sends: SendFlight::new(depths.send),
                recvs: RecvFlight::new(depths.recv),
            }),
            pd: Arc::clone(pd),
            lease,
            rooms: Some(rooms),
        })
    }
}
