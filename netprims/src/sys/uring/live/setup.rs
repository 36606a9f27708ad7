use std::io;
use std::ptr;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, Timespec};
use io_uring::{opcode, squeue};

use super::entry::{REPORT_USAGE, send_message_zc};
use super::queues::Queues;
use super::{BUFFERS, Live};
use crate::sys::memory::Process;
use crate::sys::uring::kernel::{Kernel, Wait};

/// What the kernel offered when the ring was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    /// `IORING_SETUP_DEFER_TASKRUN` and `IORING_SETUP_SINGLE_ISSUER` (Linux 6.1).
    pub(crate) deferred: bool,
    /// A thread of the kernel's takes the queue (`IORING_SETUP_SQPOLL`).
    pub(crate) queue_thread: bool,
    /// `IORING_FEAT_MIN_TIMEOUT` (Linux 6.12).
    pub(crate) gathers: bool,
    /// `IORING_OP_SEND_ZC` (Linux 6.0).
    pub(crate) zero_copy: bool,
    /// `IORING_SEND_ZC_REPORT_USAGE` (Linux 6.2, and 6.1 as it is maintained).
    pub(crate) usage: bool,
    /// `IORING_OP_SENDMSG_ZC` (Linux 6.1).
    pub(crate) messages: bool,
    /// The same with `IORING_RECVSEND_FIXED_BUF` (Linux 6.15).
    pub(crate) fixed_messages: bool,
    /// `IORING_FEAT_RECVSEND_BUNDLE` (Linux 6.10).
    pub(crate) bundles: bool,
}

/// A thread of the kernel's that takes the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueThread {
    /// How long it looks before it sleeps.
    pub(crate) idle: Duration,
    pub(crate) cpu: Option<u32>,
}

/// Which call refused a ring or a pool, and how.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) operation: &'static str,
    pub(crate) error: io::Error,
}

impl Refused {
    pub(crate) fn by_mmap(error: io::Error) -> Self {
        let operation = "mmap";
        Self { operation, error }
    }

    pub(crate) fn by_register(error: io::Error) -> Self {
        let operation = "io_uring_register";
        Self { operation, error }
    }
}

/// How long a probe of a request that fails at once may take. Long: a thread that takes the queue may have to wait for a
/// processor (more than two seconds of an emulator's, seen).
const PROBE_LIMIT: Duration = Duration::from_secs(20);

impl Live {
    /// Makes a ring for `requests` at a time, each with up to two completions waiting.
    pub(crate) fn new(requests: u32, thread: Option<QueueThread>) -> Result<Self, Refused> {
        Self::with(requests, thread, false)
    }

    /// Makes one whose completions are those that zero-copy receive needs.
    pub(crate) fn wide(requests: u32, thread: Option<QueueThread>) -> Result<Self, Refused> {
        Self::with(requests, thread, true)
    }

    fn with(requests: u32, thread: Option<QueueThread>, is_wide: bool) -> Result<Self, Refused> {
        let home = Process::current().map_err(|error| Refused {
            operation: "mmap",
            error,
        })?;
        // With a thread that completes requests there is nothing to defer to the caller's.
        let deferred = match thread {
            Some(_) => None,
            None => match Queues::new(requests, true, None, is_wide) {
                // The one errno for a flag that is not known.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => None,
                ring => Some(ring.map_err(in_setup)?),
            },
        };
        let is_deferred = deferred.is_some();
        let ring = match deferred {
            Some(ring) => ring,
            None => Queues::new(requests, false, thread, is_wide).map_err(in_setup)?,
        };
        if !ring.params().is_feature_ext_arg() {
            return Err(in_setup(io::Error::from_raw_os_error(libc::EINVAL)));
        }
        can_cancel(&ring).map_err(Refused::by_register)?;
        ring.submitter()
            .register_buffers_sparse(u32::from(BUFFERS))
            .map_err(Refused::by_register)?;
        let setup = Setup {
            deferred: is_deferred,
            queue_thread: thread.is_some(),
            gathers: ring.params().is_feature_min_timeout(),
            zero_copy: false,
            usage: false,
            messages: false,
            fixed_messages: false,
            bundles: ring.params().is_feature_recvsend_bundle(),
        };
        let busy_polls = false;
        let mut live = Self {
            ring,
            home,
            setup,
            busy_polls,
        };
        live.setup.usage = live.knows_send_zc(REPORT_USAGE).map_err(in_enter)?;
        live.setup.zero_copy = live.setup.usage || live.knows_send_zc(0).map_err(in_enter)?;
        live.setup.messages = live.knows_send_message_zc(None).map_err(in_enter)?;
        live.setup.fixed_messages = live.knows_send_message_zc(Some(0)).map_err(in_enter)?;
        Ok(live)
    }

    /// Whether the kernel takes a zero-copy send with these flags: a send of nothing to no file is refused with EINVAL
    /// if it does not, and for the file if it does.
    fn knows_send_zc(&mut self, flags: u16) -> io::Result<bool> {
        let probe = opcode::SendZc::new(Fd(-1), ptr::null(), 0)
            .zc_flags(flags)
            .build();
        self.knows(&probe)
    }

    /// The same for one of several buffers: it is refused for the file, or for its header, which is nowhere.
    fn knows_send_message_zc(&mut self, buffer: Option<u16>) -> io::Result<bool> {
        let probe = send_message_zc(Fd(-1), ptr::null(), buffer, self.setup.usage);
        self.knows(&probe)
    }

    /// Whether the kernel refuses a request that cannot succeed otherwise than with EINVAL.
    fn knows(&mut self, probe: &squeue::Entry) -> io::Result<bool> {
        // SAFETY: a request without memory has none that could go away.
        let pushed = unsafe { self.ring.submission().push(probe) };
        if pushed.is_err() {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        let mut known = false;
        loop {
            match self.enter(Some(Wait::AtMost(PROBE_LIMIT))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                entered => entered?,
            }
            let Some(completion) = self.completion() else {
                return Err(io::Error::from_raw_os_error(libc::ETIME));
            };
            if !completion.notification {
                known = completion.result != -libc::EINVAL;
            }
            if !completion.more {
                return Ok(known);
            }
        }
    }
}

fn in_setup(error: io::Error) -> Refused {
    let operation = "io_uring_setup";
    Refused { operation, error }
}

fn in_enter(error: io::Error) -> Refused {
    let operation = "io_uring_enter";
    Refused { operation, error }
}

/// Whether the kernel can cancel all that is in flight, which dropping the ring needs (`IORING_REGISTER_SYNC_CANCEL`,
/// Linux 6.0): on a fresh ring there is nothing to cancel, and saying so is knowing how.
fn can_cancel(ring: &Queues) -> io::Result<()> {
    let limit = Timespec::from(Duration::ZERO);
    match ring
        .submitter()
        .register_sync_cancel(Some(limit), CancelBuilder::any())
    {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        answer => answer,
    }
}

/// What the kernel answers to a ring of no entries with no parameters. One that lets this process in gets to look at
/// the parameters and answers `EFAULT`; a seccomp filter and `kernel.io_uring_disabled` answer before that.
pub(crate) fn answer_to_nothing() -> Option<i32> {
    // SAFETY: the call takes a number and a pointer that the kernel checks before it uses it, and null it refuses.
    let result =
        unsafe { libc::syscall(libc::SYS_io_uring_setup, 0, ptr::null_mut::<libc::c_void>()) };
    (result < 0)
        .then(|| io::Error::last_os_error().raw_os_error())
        .flatten()
}
