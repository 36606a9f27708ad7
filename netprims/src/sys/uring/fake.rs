use std::collections::VecDeque;
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use super::kernel::{Completion, Kernel, Operation, QueueFull, Request, Unfit, Wait};
use super::zcrx::{
    self, Control, Provider, QueryEvents, QueryOperations, QueryQueues, Registration,
};

/// A kernel that does nothing but what a test's script says. It reads no memory.
pub(crate) struct Fake {
    /// What was pushed, in order, for good.
    pub(crate) pushed: Vec<Request>,
    /// How many of them wait for an `enter`.
    pub(crate) queued: usize,
    /// Room in the queue.
    pub(crate) room: usize,
    /// What `completion` returns next.
    pub(crate) posted: VecDeque<Completion>,
    /// An accept that goes on whatever it is told, and a connection: copies of it are accepted without end once nothing else
    /// is posted.
    pub(crate) accepts: Option<(Request, OwnedFd)>,
    /// What `enter` answers; afterwards, `Ok`.
    pub(crate) enter_results: VecDeque<io::Result<()>>,
    /// How it was entered.
    pub(crate) entered: Vec<Option<Wait>>,
    pub(crate) cancelled: usize,
    /// Buffers that were registered, with their length, and those that were unregistered, with `None`, in order.
    pub(crate) registered: Vec<(u16, Option<usize>)>,
    /// Files that were put into the table, and places that were freed, in order.
    pub(crate) files: Vec<(u32, Option<RawFd>)>,
    /// What `set_file` answers; afterwards, `Ok`.
    pub(crate) file_results: VecDeque<io::Result<()>>,
    /// Every `enter` panics.
    pub(crate) enter_panics: bool,
    pub(crate) zero_copy: bool,
    /// It says so whenever it is asked.
    pub(crate) is_work_left: bool,
    pub(crate) is_taken_by_others: bool,
    /// A forked child looks at it.
    pub(crate) is_away: bool,
    /// Groups of provided buffers that were registered, with their places, and those that were unregistered, with
    /// `None`, in order.
    pub(crate) groups: Vec<(u16, Option<u16>)>,
    /// What registering and unregistering a group answers; afterwards, `Ok`.
    pub(crate) group_results: VecDeque<io::Result<()>>,
    pub(crate) bundles: bool,
    /// Its queues for zero-copy receive.
    pub(crate) receive: zcrx::fake::Fake,
    pub(crate) unfit: Option<Unfit>,
    /// Shared by a test, which sees whether this was dropped.
    pub(crate) is_open: Option<Rc<()>>,
    pub(crate) fixed_messages: bool,
    /// What the messages among the requests named when they were handed over: addresses and lengths.
    pub(crate) messages: Vec<Vec<(usize, usize)>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            pushed: Vec::new(),
            queued: 0,
            room: 64,
            posted: VecDeque::new(),
            accepts: None,
            enter_results: VecDeque::new(),
            entered: Vec::new(),
            cancelled: 0,
            registered: Vec::new(),
            files: Vec::new(),
            file_results: VecDeque::new(),
            enter_panics: false,
            zero_copy: true,
            is_work_left: false,
            is_taken_by_others: false,
            is_away: false,
            groups: Vec::new(),
            group_results: VecDeque::new(),
            bundles: true,
            receive: zcrx::fake::Fake::new(),
            unfit: None,
            is_open: None,
            fixed_messages: true,
            messages: Vec::new(),
        }
    }

    /// Whether the `nth` request is a zero-copy send.
    pub(crate) fn is_zero_copy(&self, nth: usize) -> bool {
        matches!(
            self.pushed[nth].operation,
            Operation::Send {
                zero_copy: true,
                ..
            } | Operation::SendTo {
                zero_copy: true,
                ..
            } | Operation::SendMessage {
                zero_copy: true,
                ..
            }
        )
    }

    /// Posts a first completion of the `nth` request.
    pub(crate) fn result(&mut self, nth: usize, result: i32, more: bool) {
        let user_data = self.pushed[nth].user_data;
        self.posted.push_back(Completion {
            user_data,
            result,
            more,
            ..Completion::default()
        });
    }

    /// Posts what the `nth` request, an accept, has accepted.
    pub(crate) fn accepted(&mut self, nth: usize, fd: OwnedFd, more: bool) {
        self.result(nth, fd.into_raw_fd(), more);
    }

    /// Posts a completion of the `nth` request with a second half.
    pub(crate) fn fragment(&mut self, nth: usize, result: i32, extra: u64) {
        let user_data = self.pushed[nth].user_data;
        self.posted.push_back(Completion {
            user_data,
            result,
            more: true,
            extra,
            ..Completion::default()
        });
    }

    /// Posts a completion of the `nth` request that names a provided buffer.
    pub(crate) fn fill(&mut self, nth: usize, result: i32, buffer: u16, more: bool) {
        let user_data = self.pushed[nth].user_data;
        self.posted.push_back(Completion {
            user_data,
            result,
            more,
            buffer: Some(buffer),
            ..Completion::default()
        });
    }

    /// Posts the notification of the `nth` request.
    pub(crate) fn notify(&mut self, nth: usize, result: i32) {
        let user_data = self.pushed[nth].user_data;
        self.posted.push_back(Completion {
            user_data,
            result,
            notification: true,
            ..Completion::default()
        });
    }
}

/// What a message names.
fn ranges(header: *const libc::msghdr) -> Vec<(usize, usize)> {
    // SAFETY: the request was pushed and has no completion yet, so its header is mapped (the promise to `push`).
    let header = unsafe { header.read() };
    // SAFETY: as for the header.
    let ranges = unsafe { std::slice::from_raw_parts(header.msg_iov, header.msg_iovlen) };
    let ranges = ranges.iter();
    ranges
        .map(|range| (range.iov_base.addr(), range.iov_len))
        .collect()
}

// SAFETY: it reads no memory but the headers and ranges of messages, when it is handed them, which is before any completion
// of theirs; so whatever a script makes it say, no memory is read after it was given back. What a
// script posts as accepted it has given up (`accepted`).
unsafe impl Kernel for Fake {
    unsafe fn push(&mut self, request: &Request) -> Result<(), QueueFull> {
        if self.queued == self.room {
            return Err(QueueFull);
        }
        self.queued += 1;
        self.pushed.push(*request);
        Ok(())
    }

    unsafe fn push_both(&mut self, request: &Request, limit: &Request) -> Result<(), QueueFull> {
        if self.room - self.queued < 2 {
            return Err(QueueFull);
        }
        self.queued += 2;
        self.pushed.extend([*request, *limit]);
        Ok(())
    }

    fn queued(&mut self) -> usize {
        self.queued
    }

    fn enter(&mut self, wait: Option<Wait>) -> io::Result<()> {
        assert!(!self.enter_panics, "the script says so");
        self.entered.push(wait);
        self.enter_results.pop_front().unwrap_or(Ok(()))?;
        let handed_over = self.pushed.len() - self.queued;
        for request in &self.pushed[handed_over..] {
            if let Operation::SendMessage { header, .. } = request.operation {
                self.messages.push(ranges(header));
            }
        }
        self.queued = 0;
        if let (Some(Wait::AtMost(limit)), true) = (wait, self.posted.is_empty()) {
            std::thread::sleep(limit);
        }
        Ok(())
    }

    fn is_work_left(&mut self) -> bool {
        self.is_work_left
    }

    fn completion(&mut self) -> Option<Completion> {
        let accepted = || {
            let (request, connection) = self.accepts.as_ref()?;
            Some(Completion {
                user_data: request.user_data,
                result: connection.try_clone().ok()?.into_raw_fd(),
                more: true,
                ..Completion::default()
            })
        };
        self.posted.pop_front().or_else(accepted)
    }

    fn cancel_all(&mut self, _: Duration) -> io::Result<()> {
        self.cancelled += 1;
        Ok(())
    }

    fn unregister(&mut self, buffer: u16) -> io::Result<()> {
        self.registered.push((buffer, None));
        Ok(())
    }

    unsafe fn register(&mut self, buffer: u16, _: *mut u8, len: usize) -> io::Result<()> {
        self.registered.push((buffer, Some(len)));
        Ok(())
    }

    fn register_files(&mut self, _: u32) -> io::Result<()> {
        Ok(())
    }

    fn set_file(&mut self, place: u32, fd: Option<RawFd>) -> io::Result<()> {
        self.files.push((place, fd));
        self.file_results.pop_front().unwrap_or(Ok(()))
    }

    unsafe fn register_group(
        &mut self,
        group: u16,
        _: *mut u8,
        places: u16,
        _: bool,
    ) -> io::Result<()> {
        self.group_results.pop_front().unwrap_or(Ok(()))?;
        self.groups.push((group, Some(places)));
        Ok(())
    }

    fn unregister_group(&mut self, group: u16) -> io::Result<()> {
        self.group_results.pop_front().unwrap_or(Ok(()))?;
        self.groups.push((group, None));
        Ok(())
    }

    fn is_home(&self) -> bool {
        !self.is_away
    }

    fn is_taken_by_others(&self) -> bool {
        self.is_taken_by_others
    }

    fn receives_bundles(&self) -> bool {
        self.bundles
    }

    fn receives_zero_copy(&self) -> Result<(), Unfit> {
        self.unfit.map_or(Ok(()), Err)
    }

    fn sends_zero_copy(&self) -> bool {
        self.zero_copy
    }

    fn reports_usage(&self) -> bool {
        true
    }

    fn sends_messages_zero_copy(&self) -> bool {
        self.zero_copy
    }

    fn sends_fixed_messages(&self) -> bool {
        self.fixed_messages
    }
}

// SAFETY: it writes no memory at all.
unsafe impl Provider for Fake {
    unsafe fn register_queue(&mut self, registration: &mut Registration) -> io::Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.receive.register_queue(registration) }
    }

    fn control(&mut self, control: &mut Control) -> io::Result<()> {
        self.receive.control(control)
    }

    fn operations(&mut self) -> io::Result<QueryOperations> {
        self.receive.operations()
    }

    fn queues(&mut self) -> io::Result<QueryQueues> {
        self.receive.queues()
    }

    fn events(&mut self) -> io::Result<QueryEvents> {
        self.receive.events()
    }
}
