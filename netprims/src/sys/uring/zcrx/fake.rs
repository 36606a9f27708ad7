use std::collections::VecDeque;
use std::io;

use super::abi::{Control, Offsets, QueryEvents, QueryOperations, QueryQueues};
use super::provider::{Provider, Registration};

/// A kernel that answers as a test's script says, and touches no memory.
pub(crate) struct Fake {
    /// What it answers when asked; `None` for a question it does not know.
    pub(crate) operations: Option<QueryOperations>,
    pub(crate) queues: Option<QueryQueues>,
    pub(crate) events: Option<QueryEvents>,
    /// The errnos of the next registrations; afterwards they succeed.
    pub(crate) refuses: VecDeque<i32>,
    /// What a registration that succeeds changes in the request.
    pub(crate) answers: fn(&mut Registration),
    /// The errno of every control; `None` for success.
    pub(crate) controls_fail: Option<i32>,
    /// What was registered, as it came.
    pub(crate) registered: Vec<Registration>,
    pub(crate) controlled: Vec<Control>,
}

impl Fake {
    /// Linux 7.2.
    pub(crate) fn new() -> Self {
        Self {
            operations: Some(QueryOperations {
                registers: 38,
                queries: 4,
                ..QueryOperations::default()
            }),
            queues: Some(QueryQueues {
                register_flags: 3,
                controls: 3,
                ..QueryQueues::default()
            }),
            events: Some(QueryEvents {
                kinds: 3,
                counters_len: 16,
                counters_alignment: 8,
                ..QueryEvents::default()
            }),
            refuses: VecDeque::new(),
            answers: |request| {
                request.queue.id = 7;
                request.queue.page_len = 4096;
                request.queue.offsets = Offsets {
                    head: 0,
                    tail: 4,
                    entries: 64,
                    ..Offsets::default()
                };
            },
            controls_fail: None,
            registered: Vec::new(),
            controlled: Vec::new(),
        }
    }
}

// SAFETY: it writes no memory at all.
unsafe impl Provider for Fake {
    unsafe fn register_queue(&mut self, request: &mut Registration) -> io::Result<()> {
        self.registered.push(*request);
        if let Some(errno) = self.refuses.pop_front() {
            return Err(io::Error::from_raw_os_error(errno));
        }
        (self.answers)(request);
        Ok(())
    }

    fn control(&mut self, control: &mut Control) -> io::Result<()> {
        self.controlled.push(*control);
        self.controls_fail
            .map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    fn operations(&mut self) -> io::Result<QueryOperations> {
        self.operations.ok_or_else(unknown)
    }

    fn queues(&mut self) -> io::Result<QueryQueues> {
        self.queues.ok_or_else(unknown)
    }

    fn events(&mut self) -> io::Result<QueryEvents> {
        self.events.ok_or_else(unknown)
    }
}

fn unknown() -> io::Error {
    io::Error::from_raw_os_error(libc::EOPNOTSUPP)
}
