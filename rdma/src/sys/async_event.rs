//! Events of a device: fetched, copied and acknowledged in one go.

use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::channel::CqNumber;
use super::context::ContextHandle;
use super::errno::Errno;
use super::ffi::{self, event_type};
use super::functions::Functions;
use super::identity::{QpIdentity, SrqNumber};

/// An event, copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AsyncEvent {
    /// A number of `enum ibv_event_type`, or one that is none.
    pub(crate) kind: u32,
    pub(crate) about: About,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Device,
    Port(i32),
    Cq(CqNumber),
    Qp(QpIdentity),
    Srq(SrqNumber),
    /// Of a kind that the crate does not know.
    Unknown,
}

/// Fetches an event, copies it, and acknowledges it: one that is not acknowledged makes the destruction
/// of what it is about wait for ever.
///
/// # Safety
/// `context` is open, and its queue pairs, completion queues and shared receive queues have numbers for
/// user pointers.
pub(super) unsafe fn next(
    functions: &Functions,
    context: NonNull<ffi::Context>,
) -> Result<AsyncEvent, Errno> {
    let mut event = ffi::AsyncEvent {
        element: ffi::EventElement {
            object: ptr::null_mut(),
        },
        event_type: u32::MAX,
    };
    // SAFETY: the context is open (the caller's promise); `event` is a live struct.
    if unsafe { (functions.get_async_event)(context.as_ptr(), &mut event) } != 0 {
        return Err(Errno::last());
    }
    // SAFETY: just fetched, and not acknowledged.
    let about = unsafe { about(&event) };
    // SAFETY: as above; nobody else has it.
    unsafe { (functions.ack_async_event)(&mut event) };
    Ok(AsyncEvent {
        kind: event.event_type,
        about,
    })
}

/// # Safety
/// `event` was fetched and not acknowledged: the object that it points to exists, because its
/// destruction waits for the acknowledgement.
unsafe fn about(event: &ffi::AsyncEvent) -> About {
    match event.event_type {
        event_type::CQ_ERR => {
            // SAFETY: the member that the library sets for this type.
            let cq = unsafe { event.element.object }.cast::<ffi::Cq>();
            // SAFETY: the queue exists (the caller's promise).
            let number = unsafe { (*cq).cq_context };
            About::Cq(CqNumber::of(number.addr()))
        }
        event_type::QP_FATAL..=event_type::PATH_MIG_ERR | event_type::QP_LAST_WQE_REACHED => {
            // SAFETY: as above.
            let qp = unsafe { event.element.object }.cast::<ffi::Qp>();
            // SAFETY: as above.
            let number = unsafe { (*qp).qp_context };
            // SAFETY: as above.
            let qpn = unsafe { (*qp).qp_num };
            About::Qp(QpIdentity::new(number.addr(), qpn))
        }
        event_type::SRQ_ERR | event_type::SRQ_LIMIT_REACHED => {
            // SAFETY: as above.
            let srq = unsafe { event.element.object }.cast::<ffi::Srq>();
            // SAFETY: as above.
            let number = unsafe { (*srq).srq_context };
            About::Srq(SrqNumber::of(number.addr()))
        }
        event_type::DEVICE_FATAL => About::Device,
        event_type::PORT_ACTIVE..=event_type::SM_CHANGE
        | event_type::CLIENT_REREGISTER
        | event_type::GID_CHANGE => {
            // SAFETY: as above.
            About::Port(unsafe { event.element.port_num })
        }
        _ => About::Unknown,
    }
}

/// The events of an open device, from a descriptor that never blocks.
#[derive(Clone, Debug)]
pub(crate) struct AsyncEvents {
    context: Arc<ContextHandle>,
}

impl AsyncEvents {
    pub(crate) fn of(context: &Arc<ContextHandle>) -> Result<Self, Errno> {
        let events = AsyncEvents {
            context: Arc::clone(context),
        };
        let failed = |errno: nix::errno::Errno| Errno::new(errno as i32);
        let flags = fcntl(&events, FcntlArg::F_GETFL).map_err(failed)?;
        let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
        fcntl(&events, FcntlArg::F_SETFL(flags)).map_err(failed)?;
        Ok(events)
    }

    pub(crate) fn context(&self) -> &Arc<ContextHandle> {
        &self.context
    }

    /// The next one, if there is one.
    pub(crate) fn next(&self) -> Result<Option<AsyncEvent>, Errno> {
        // SAFETY: the context is open (invariant of `ContextHandle`), and this crate makes whatever is
        // made from it, with numbers for user pointers.
        match unsafe { self.context.verbs().next_async_event(self.context.raw()) } {
            Ok(event) => Ok(Some(event)),
            Err(errno) if errno.number() == libc::EAGAIN => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

impl AsFd for AsyncEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the context is open (invariant of `ContextHandle`), so its fields may be read.
        let fd = unsafe { (*self.context.raw().as_ptr()).async_fd };
        // SAFETY: it is the context's until that is closed, which `self` keeps from happening.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }
}
