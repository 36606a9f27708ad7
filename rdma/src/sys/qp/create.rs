//! Making a queue pair.

use std::ffi::c_int;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::super::context::ContextHandle;
use super::super::cq::CqHandle;
use super::super::errno::Errno;
use super::super::ffi::{self, qp_attr_ex};
use super::super::flight::{MAX_DEPTH, RecvFlight, SendFlight};
use super::super::identity::QpIdentity;
use super::super::lacking::Lacking;
use super::super::leaks::{Leak, leaked};
use super::super::pd::PdHandle;
use super::super::recv_stage::RecvStage;
use super::super::room::NoRoom;
use super::super::srq::SharedQueue;
use super::super::tag::TagLease;
use super::super::work_ex::ExtendedOps;
use super::super::wr_id::Queue;
use super::batch::Stage;
use super::extended::Extended;
use super::{Flight, Health, QpHandle, Transport};

/// What a queue pair is to have room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    /// How many work requests each queue may have in flight.
    pub(crate) send: u32,
    pub(crate) recv: u32,
    /// How many buffers one request may name.
    pub(crate) send_pieces: u32,
    pub(crate) recv_pieces: u32,
    /// How many bytes a send may carry in itself.
    pub(crate) inline: u32,
    /// What `ibv_post_send` does not know.
    pub(crate) extended: ExtendedOps,
}

/// More buffers for one request than any device takes.
pub(in crate::sys) const MOST_PIECES: u32 = 1024;

/// Why there is no queue pair.
#[derive(Debug)]
pub(crate) enum CreateError {
    /// A queue deeper than the crate supports.
    TooDeep(Queue),
    /// No buffer, or too many, for one request.
    Pieces(Queue),
    /// The CQ for this queue belongs to another open device.
    OtherContext(Queue),
    /// The CQ for this queue has not enough entries left.
    NoRoom(Queue, NoRoom),
    /// Polling a CQ failed before, with this result.
    CqFailed(c_int),
    /// 2^31 - 1 queue pairs are alive or not yet forgotten.
    NoTag,
    /// The shared receive queue belongs to another domain.
    OtherPd,
    /// Work that is asked for, and missing somewhere.
    Lacks(ExtendedOps, Lacking),
    /// The library refused.
    Errno(Errno),
}

impl QpHandle {
    pub(crate) fn create(
        pd: &Arc<PdHandle>,
        send_cq: &Arc<CqHandle>,
        recv_cq: &Arc<CqHandle>,
        srq: Option<&Arc<SharedQueue>>,
        transport: Transport,
        caps: Caps,
    ) -> Result<Self, CreateError> {
        let context = pd.context();
        for (queue, cq, depth, pieces) in [
            (Queue::Send, send_cq, caps.send, caps.send_pieces),
            (Queue::Recv, recv_cq, caps.recv, caps.recv_pieces),
        ] {
            if depth > MAX_DEPTH {
                return Err(CreateError::TooDeep(queue));
            }
            if !(1..=MOST_PIECES).contains(&pieces) {
                return Err(CreateError::Pieces(queue));
            }
            if !Arc::ptr_eq(cq.context(), context) {
                return Err(CreateError::OtherContext(queue));
            }
            if let Some(result) = cq.failed() {
                return Err(CreateError::CqFailed(result));
            }
        }
        let depth = caps.recv * u32::from(srq.is_none());
        let caps = Caps {
            recv: depth,
            ..caps
        };
        if srq.is_some_and(|srq| !Arc::ptr_eq(srq.pd(), pd)) {
            return Err(CreateError::OtherPd);
        }
        refuse_extended(context, transport, caps.extended)?;
        let missing = || CreateError::Errno(Errno::new(libc::EOPNOTSUPP));
        let post_send = context.post_send().ok_or_else(missing)?;
        let post_recv = context.post_recv().ok_or_else(missing)?;
        let room = |cq: &Arc<CqHandle>, queue, depth| {
            cq.reserve(depth)
                .map_err(|no_room| CreateError::NoRoom(queue, no_room))
        };
        let rooms = [
            room(send_cq, Queue::Send, caps.send)?,
            room(recv_cq, Queue::Recv, caps.recv)?,
        ];
        if let Some(srq) = srq {
            srq.attach(recv_cq)
                .map_err(|no_room| CreateError::NoRoom(Queue::Recv, no_room))?;
        }
        let identity = QpIdentity::number_of_next();
        let mut attr = ffi::QpInitAttr {
            qp_context: ptr::without_provenance_mut(identity),
            send_cq: send_cq.raw().as_ptr(),
            recv_cq: recv_cq.raw().as_ptr(),
            srq: srq.map_or(ptr::null_mut(), |srq| srq.raw().as_ptr()),
            cap: ffi::QpCap {
                // Some providers refuse a queue of depth 0; the table of depth 0 refuses every
                // post.
                max_send_wr: caps.send.max(1),
                max_recv_wr: caps.recv.max(1),
                max_send_sge: caps.send_pieces,
                max_recv_sge: caps.recv_pieces,
                max_inline_data: caps.inline,
            },
            qp_type: transport.number(),
            sq_sig_all: 0,
        };
        let (raw, extended) = if caps.extended.is_empty() {
            // SAFETY: a `PdHandle` is allocated; the CQs exist, and in the same context (checked
            // above).
            let raw = unsafe { context.verbs().create_qp(pd.raw(), &mut attr) };
            (raw.map_err(CreateError::Errno)?, None)
        } else {
            let ops = caps.extended;
            // SAFETY: as above.
            let (raw, extended) = unsafe { create_extended(pd, &mut attr, ops) }?;
            if extended.is_none() {
                // SAFETY: just created, and not used.
                unsafe { discard(pd, raw, (rooms, srq.map(Arc::clone))) };
                return Err(CreateError::Lacks(ops, Lacking::Library));
            }
            (raw, extended)
        };
        // Only now: a program that fails to create queue pairs uses up no tags.
        let Some(lease) = TagLease::take() else {
            // SAFETY: just created, and not used.
            unsafe { discard(pd, raw, (rooms, srq.map(Arc::clone))) };
            return Err(CreateError::NoTag);
        };
        #[cfg(test)]
        let lease = super::super::defect::reused_tag().map_or(lease, TagLease::again);
        // SAFETY: just created, so its fields may be read.
        let number = unsafe { (*raw.as_ptr()).qp_num };
        let pieces = usize::try_from(caps.send_pieces.max(caps.recv_pieces)).unwrap_or(0);
        let destinations = match transport {
            Transport::Ud => usize::try_from(caps.send.next_power_of_two()).unwrap_or(0),
            Transport::Rc | Transport::Uc => 0,
        };
        Ok(QpHandle {
            raw,
            post_send,
            post_recv,
            tag: lease.tag(),
            health: Health::Good,
            number,
            identity: QpIdentity::new(identity, number),
            max_send_pieces: caps.send_pieces,
            max_recv_pieces: caps.recv_pieces,
            // The driver has written how many it grants: what was asked for or more.
            max_inline: attr.cap.max_inline_data,
            pieces: vec![ffi::Sge::NOTHING; pieces].into_boxed_slice(),
            destinations: (0..destinations).map(|_| None).collect(),
            stage: Stage::default(),
            recv_stage: RecvStage::default(),
            extended,
            groups: Vec::new(),
            max_message: u32::MAX,
            flight: ManuallyDrop::new(Flight {
                sends: SendFlight::new(caps.send),
                recvs: RecvFlight::new(caps.recv),
            }),
            pd: Arc::clone(pd),
            lease,
            rooms: Some(rooms),
            srq: srq.map(Arc::clone),
        })
    }
}

/// Refuses what the queue pair could be made for, and would not do: Soft-RoCE takes any request, and
/// fails those that the kernel does not know.
fn refuse_extended(
    context: &ContextHandle,
    transport: Transport,
    ops: ExtendedOps,
) -> Result<(), CreateError> {
    if ops.is_empty() {
        return Ok(());
    }
    if transport != Transport::Rc {
        return Err(CreateError::Lacks(ops, Lacking::QpType));
    }
    let extras = context.query_extras().map_err(CreateError::Errno)?;
    let has_flush = extras.has_global_flush() || extras.has_persistent_flush();
    let missing = ExtendedOps {
        atomic_write: ops.atomic_write && !extras.has_atomic_write(),
        flush: ops.flush && !has_flush,
    };
    if missing.is_empty() {
        Ok(())
    } else {
        Err(CreateError::Lacks(missing, Lacking::Device))
    }
}

/// Destroys a queue pair, which keeps what it needs if that fails.
///
/// # Safety
/// It was just made in this domain, and is used by nobody; with the domain, `needs` is all that it
/// uses.
unsafe fn discard<T>(pd: &Arc<PdHandle>, raw: NonNull<ffi::Qp>, needs: T) {
    // SAFETY: the caller's promise.
    if unsafe { pd.context().verbs().destroy_qp(raw) }.is_err() {
        leaked(Leak::Qp);
        mem::forget((needs, Arc::clone(pd)));
    }
}

/// Makes a queue pair that knows `ops`; without its extended side if the provider did not make what it
/// was asked for.
///
/// # Safety
/// The CQs in `attr` exist in the domain's context.
unsafe fn create_extended(
    pd: &Arc<PdHandle>,
    attr: &mut ffi::QpInitAttr,
    ops: ExtendedOps,
) -> Result<(NonNull<ffi::Qp>, Option<Extended>), CreateError> {
    let context = pd.context();
    // SAFETY: pointers and integers: zero is a valid value.
    let mut attr_ex: ffi::QpInitAttrEx = unsafe { mem::zeroed() };
    (attr_ex.send_cq, attr_ex.recv_cq, attr_ex.srq) = (attr.send_cq, attr.recv_cq, attr.srq);
    (attr_ex.cap, attr_ex.qp_type) = (attr.cap, attr.qp_type);
    attr_ex.qp_context = attr.qp_context;
    attr_ex.comp_mask = qp_attr_ex::PD | qp_attr_ex::SEND_OPS_FLAGS;
    (attr_ex.pd, attr_ex.send_ops_flags) = (pd.raw().as_ptr(), ops.bits());
    // SAFETY: a `PdHandle` is allocated; the CQs exist in its context (the caller's promise).
    let raw = unsafe { context.verbs().create_qp_ex(context.raw(), &mut attr_ex) };
    let raw = raw.map_err(|errno| match errno.number() {
        libc::EOPNOTSUPP | libc::ENOSYS => CreateError::Lacks(ops, Lacking::Library),
        _ => CreateError::Errno(errno),
    })?;
    attr.cap = attr_ex.cap;
    // SAFETY: just made for `ops`.
    let extended = unsafe { Extended::of(context, raw, ops) };
    Ok((raw, extended))
}
