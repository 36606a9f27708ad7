//! Completion channels: how a completion queue says that it has something.

use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::context::ContextHandle;
use super::errno::Errno;
use super::ffi;
use super::leaks::{Leak, leaked};

/// A completion channel, whose descriptor never blocks.
///
/// # Invariants
///
/// `raw` exists in `context` and is destroyed once, by `Drop`; completion queues that use it hold an
/// `Arc` of this.
#[derive(Debug)]
pub(crate) struct ChannelHandle {
    context: Arc<ContextHandle>,
    raw: NonNull<ffi::CompChannel>,
}

// SAFETY: verbs may be called from any thread (promise 2 of `Verbs`).
unsafe impl Send for ChannelHandle {}
// SAFETY: as above.
unsafe impl Sync for ChannelHandle {}

impl ChannelHandle {
    pub(crate) fn create(context: &Arc<ContextHandle>) -> Result<Arc<Self>, Errno> {
        // SAFETY: a `ContextHandle` is open.
        let raw = unsafe { context.verbs().create_channel(context.raw()) }?;
        let channel = ChannelHandle {
            context: Arc::clone(context),
            raw,
        };
        let failed = |errno: nix::errno::Errno| Errno::new(errno as i32);
        let flags = fcntl(&channel, FcntlArg::F_GETFL).map_err(failed)?;
        let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
        fcntl(&channel, FcntlArg::F_SETFL(flags)).map_err(failed)?;
        Ok(Arc::new(channel))
    }

    pub(crate) fn is_of(&self, context: &Arc<ContextHandle>) -> bool {
        Arc::ptr_eq(&self.context, context)
    }

    pub(super) fn raw(&self) -> NonNull<ffi::CompChannel> {
        self.raw
    }

    /// The number of a completion queue that has something; `None` if none says so. The event is
    /// acknowledged: one that is not blocks its queue's destruction for ever.
    pub(crate) fn next_event(&self) -> Result<Option<CqNumber>, Errno> {
        // SAFETY: the channel exists (invariant).
        match unsafe { self.context.verbs().next_event(self.raw) } {
            Ok(number) => Ok(Some(CqNumber(number))),
            Err(errno) if errno.number() == libc::EAGAIN => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

impl AsFd for ChannelHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the channel exists (invariant), so its fields may be read.
        let fd = unsafe { (*self.raw.as_ptr()).fd };
        // SAFETY: it is the channel's until that is destroyed.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }
}

impl Drop for ChannelHandle {
    fn drop(&mut self) {
        // SAFETY: exists until here (invariant), and no completion queue uses it.
        let result = unsafe { self.context.verbs().destroy_channel(self.raw) };
        if result.is_err() {
            leaked(Leak::Channel);
            mem::forget(Arc::clone(&self.context));
        }
    }
}

/// Tells the completion queues of this process apart. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CqNumber(usize);

impl CqNumber {
    /// Another one than ever before.
    pub(super) fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        CqNumber(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn of(number: usize) -> Self {
        CqNumber(number)
    }

    pub(super) fn get(self) -> usize {
        self.0
    }
}
