use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::{Duration, Instant};

use io_uring::types::{CancelBuilder, Napi, SubmitArgs, Timespec};
use io_uring::{cqueue, squeue};

pub(crate) use self::capable::Capable;
use self::entry::{entry, kernels_group};
use self::queues::Queues;
pub(crate) use self::setup::{QueueThread, Refused, Setup, answer_to_nothing};
use super::kernel::{Completion, Kernel, QueueFull, Request, Unfit, Wait};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::Process;

mod capable;
mod entry;
mod queues;
mod receive_queues;
mod setup;

/// io_uring itself.
///
/// A forked child shares the queues with its parent. It must leave them alone: what it queued or took would be the
/// parent's, and cancelling would cancel the parent's sends. To the child every call fails with `EBADF`, and the queues are
/// full or empty. That the child does have them mapped keeps its copy of `ring` from reaching and unmapping what is
/// somebody else's.
pub(crate) struct Live {
    ring: Queues,
    home: Process,
    setup: Setup,
    busy_polls: bool,
}

/// Fixed buffers a ring has room for. Each pool is one.
pub(super) const BUFFERS: u16 = 64;

/// How long the thread that takes the queue is left alone before the queue is looked at again.
const LOOK_AGAIN: Duration = Duration::from_micros(20);

/// `IOU_PBUF_RING_INC` (Linux 6.12). Source: `include/uapi/linux/io_uring.h`.
const INCREMENTAL: u16 = 2;

impl Live {
    #[inline]
    fn at_home(&self) -> io::Result<()> {
        let is_home = self.home.is_current().then_some(());
        is_home.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }

    pub(crate) fn setup(&self) -> Setup {
        self.setup
    }

    /// Busy-polls the network devices of the ring's sockets in waits (`IORING_REGISTER_NAPI`, Linux 6.9).
    pub(crate) fn busy_poll(&mut self, micros: u32, prefer: bool) -> io::Result<()> {
        self.at_home()?;
        let mut napi = Napi::new()
            .set_busy_poll_timeout(micros)
            .set_prefer_busy_poll(prefer);
        self.ring.submitter().register_napi(&mut napi)?;
        self.busy_polls = true;
        Ok(())
    }

    /// The ring's own descriptor, to close what a test has forgotten.
    #[cfg(test)]
    pub(crate) fn number(&self) -> RawFd {
        self.ring.fd()
    }

    /// Has the kernel ring a bell for every completion and for work it defers, or none.
    pub(crate) fn ring_bell(&mut self, eventfd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.at_home()?;
        let submitter = self.ring.submitter();
        match eventfd {
            // The kernel takes a reference of its own.
            Some(eventfd) => submitter.register_eventfd(eventfd.as_raw_fd()),
            None => submitter.unregister_eventfd(),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: `ring` owns the descriptor, and is borrowed for as long as the answer.
        unsafe { BorrowedFd::borrow_raw(self.ring.fd()) }
    }

    /// Hands the queue over and waits for so many completions, for at most this long.
    fn wait(&self, completions: u32, limit: Duration, gather: Option<Duration>) -> io::Result<()> {
        let limit = Timespec::from(limit);
        let mut args = SubmitArgs::new().timespec(&limit);
        if let Some(within) = gather {
            args = args.min_wait_usec(u32::try_from(within.as_micros()).unwrap_or(u32::MAX));
        }
        let completions = usize::try_from(completions).unwrap_or(usize::MAX);
        match self.ring.submitter().submit_with_args(completions, &args) {
            Ok(_) => Ok(()),
            // The time is over: no error of the ring.
            Err(error) if error.raw_os_error() == Some(libc::ETIME) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits for so many completions or, once a time is over, for one.
    fn gather(&mut self, completions: u32, within: Duration, limit: Duration) -> io::Result<()> {
        if self.setup.gathers {
            // The kernel looks at the limit only when the shorter time is over.
            return self.wait(completions, limit, Some(within.min(limit)));
        }
        self.wait(completions, within.min(limit), None)?;
        if self.ring.has_completion() || limit <= within {
            return Ok(());
        }
        self.wait(1, limit.saturating_sub(within), None)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.busy_polls && self.home.is_current() {
            // Closing the ring would do, but a copy of its descriptor may keep it.
            let _ = self.ring.submitter().unregister_napi(&mut Napi::new());
        }
    }
}

// SAFETY: completions come from the completion queue, which the io-uring crate reads and advances, so each is returned
// once; `completion` copies its fields. A request uses its memory as its operation says: a send only reads it, and the
// header of a message when it takes the request; a receive writes its own, or buffers that its group shows, and each byte
// before the completion that tells of it. The kernel
// posts a plain send's one completion after it has copied the bytes; it reads them by their address, and does so no more. It
// posts a zero-copy send's notification when the last packet that refers to the pages is freed, and its only completion,
// if there is none to follow, when no packet does. An accept installs a new descriptor for each result and tells its number
// to nobody else.
unsafe impl Kernel for Live {
    /// Inlined everywhere, so that of an operation that is known only that is left.
    #[inline(always)]
    unsafe fn push(&mut self, request: &Request) -> Result<(), QueueFull> {
        self.at_home().map_err(|_| QueueFull)?;
        let entry = entry(request, self.setup.usage);
        // SAFETY: the entry names the memory and the descriptor of the caller's request, and the caller promises for both
        // what the kernel needs.
        unsafe { self.ring.submission().push(&entry) }.map_err(|_| QueueFull)
    }

    unsafe fn push_both(&mut self, request: &Request, limit: &Request) -> Result<(), QueueFull> {
        self.at_home().map_err(|_| QueueFull)?;
        let usage = self.setup.usage;
        let entries = [
            entry(request, usage).flags(squeue::Flags::IO_LINK),
            entry(limit, usage),
        ];
        // SAFETY: the entries name the memory and the descriptor of the caller's requests, and the caller promises for all
        // of them what the kernel needs.
        unsafe { self.ring.submission().push_multiple(&entries) }.map_err(|_| QueueFull)
    }

    fn queued(&mut self) -> usize {
        if !self.home.is_current() {
            return 0;
        }
        self.ring.submission().len()
    }

    fn enter(&mut self, wait: Option<Wait>) -> io::Result<()> {
        self.at_home()?;
        let queue = self.ring.submission();
        let is_idle = queue.is_empty() && !queue.taskrun() && !queue.cq_overflow();
        drop(queue);
        let submitter = self.ring.submitter();
        let entered = match wait {
            // Nothing to hand over, nothing to be prepared: the kernel need not be entered to look at its queue.
            None if is_idle => return Ok(()),
            None => submitter.submit(),
            Some(Wait::Forever) => submitter.submit_and_wait(1),
            Some(Wait::AtMost(limit)) => return self.wait(1, limit, None),
            Some(Wait::Gather {
                completions,
                within,
                limit,
            }) => return self.gather(completions, within, limit),
        };
        entered.map(drop)
    }

    fn hand_over(&mut self, limit: Duration) -> io::Result<()> {
        let start = Instant::now();
        loop {
            self.enter(None)?;
            let is_taken = !self.setup.queue_thread || self.queued() == 0;
            #[cfg(test)]
            let is_taken = is_taken || seeded(Defect::TrustTheThread);
            if is_taken || start.elapsed() >= limit {
                return Ok(());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn is_work_left(&mut self) -> bool {
        // Looking at a queue writes its head or tail back, which are its process's alone.
        if !self.home.is_current() {
            return false;
        }
        let queue = self.ring.submission();
        queue.taskrun() || queue.cq_overflow()
    }

    #[inline]
    fn has_completion(&mut self) -> bool {
        self.home.is_current() && self.ring.has_completion()
    }

    #[inline]
    fn completion(&mut self) -> Option<Completion> {
        self.at_home().ok()?;
        let (entry, extra) = self.ring.completion()?;
        let flags = entry.flags();
        Some(Completion {
            user_data: entry.user_data(),
            result: entry.result(),
            more: cqueue::more(flags),
            notification: cqueue::notif(flags),
            buffer: cqueue::buffer_select(flags),
            buffer_more: cqueue::buffer_more(flags),
            extra,
        })
    }

    fn cancel_all(&mut self, limit: Duration) -> io::Result<()> {
        self.at_home()?;
        let limit = Timespec::from(limit);
        self.ring
            .submitter()
            .register_sync_cancel(Some(limit), CancelBuilder::any())
    }

    fn unregister(&mut self, buffer: u16) -> io::Result<()> {
        self.at_home()?;
        let nothing = [libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        }];
        // SAFETY: the call wants the ranges to stay valid while they are registered, and this is none.
        unsafe {
            self.ring
                .submitter()
                .register_buffers_update(u32::from(buffer), &nothing, None)
        }
    }

    unsafe fn register(&mut self, buffer: u16, address: *mut u8, len: usize) -> io::Result<()> {
        self.at_home()?;
        let range = [libc::iovec {
            iov_base: address.cast(),
            iov_len: len,
        }];
        // SAFETY: the range is mapped (the caller's promise). The call wants it to stay valid while it is registered:
        // the kernel pins the pages in the call and uses those from then on, so unmapping the range leaves the pages
        // with the kernel and takes nothing away from under it.
        unsafe {
            self.ring
                .submitter()
                .register_buffers_update(u32::from(buffer), &range, None)
        }
    }

    fn register_files(&mut self, places: u32) -> io::Result<()> {
        self.at_home()?;
        self.ring.submitter().register_files_sparse(places)
    }

    fn set_file(&mut self, place: u32, fd: Option<RawFd>) -> io::Result<()> {
        self.at_home()?;
        let files = [fd.unwrap_or(-1)];
        self.ring
            .submitter()
            .register_files_update(place, &files)
            .map(drop)
    }

    unsafe fn register_group(
        &mut self,
        group: u16,
        ring: *mut u8,
        places: u16,
        is_incremental: bool,
    ) -> io::Result<()> {
        self.at_home()?;
        let flags = if is_incremental { INCREMENTAL } else { 0 };
        let address = u64::try_from(ring.expose_provenance())
            .map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
        // SAFETY: the ring is mapped (the caller's promise), and the kernel pins its pages in the call; what it shows
        // may be written for as long as the caller says.
        unsafe {
            self.ring.submitter().register_buf_ring_with_flags(
                address,
                places,
                kernels_group(group),
                flags,
            )
        }
    }

    fn unregister_group(&mut self, group: u16) -> io::Result<()> {
        self.at_home()?;
        self.ring
            .submitter()
            .unregister_buf_ring(kernels_group(group))
    }

    fn is_home(&self) -> bool {
        self.home.is_current()
    }

    fn is_taken_by_others(&self) -> bool {
        self.setup.queue_thread
    }

    fn receives_bundles(&self) -> bool {
        self.setup.bundles
    }

    fn receives_zero_copy(&self) -> Result<(), Unfit> {
        match self.setup {
            _ if !self.ring.is_wide() => Err(Unfit::Narrow),
            Setup {
                deferred: false, ..
            } => Err(Unfit::NotDeferred),
            _ => Ok(()),
        }
    }

    fn sends_zero_copy(&self) -> bool {
        self.setup.zero_copy
    }

    fn reports_usage(&self) -> bool {
        self.setup.usage
    }

    fn sends_messages_zero_copy(&self) -> bool {
        self.setup.messages
    }

    fn sends_fixed_messages(&self) -> bool {
        self.setup.fixed_messages
    }
}
