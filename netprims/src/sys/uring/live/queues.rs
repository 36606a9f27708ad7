use std::io;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::squeue::SubmissionQueue;
use io_uring::{Builder, IoUring, Parameters, Submitter, cqueue, squeue};

use super::QueueThread;

/// The queues that a ring shares with the kernel. The kernel fixes the length of a completion when it makes them.
pub(super) enum Queues {
    /// 16 bytes a completion.
    Narrow(IoUring),
    /// 32 bytes, which zero-copy receive needs: the second half says where the bytes are.
    Wide(IoUring<squeue::Entry, cqueue::Entry32>),
}

/// The kernel tells of each page that was received into, however many requests there are.
const LEAST_WIDE: u32 = 4096;

impl Queues {
    /// Makes queues for `requests` at a time.
    pub(super) fn new(
        requests: u32,
        is_deferred: bool,
        thread: Option<QueueThread>,
        is_wide: bool,
    ) -> io::Result<Self> {
        // A request and its linked timeout need two places.
        let requests = requests.next_power_of_two().max(2);
        // Room for both completions of every request: of sends without a limit the queue cannot overflow. The kernel keeps
        // those for which there is no room, and posts them later.
        let completions = requests.saturating_mul(2);
        if is_wide {
            let completions = completions.max(LEAST_WIDE);
            let builder = IoUring::<_, cqueue::Entry32>::builder();
            build(builder, requests, completions, is_deferred, thread).map(Self::Wide)
        } else {
            build(
                IoUring::builder(),
                requests,
                completions,
                is_deferred,
                thread,
            )
            .map(Self::Narrow)
        }
    }

    pub(super) fn is_wide(&self) -> bool {
        matches!(self, Self::Wide(_))
    }

    pub(super) fn fd(&self) -> RawFd {
        match self {
            Self::Narrow(ring) => ring.as_raw_fd(),
            Self::Wide(ring) => ring.as_raw_fd(),
        }
    }

    pub(super) fn params(&self) -> &Parameters {
        match self {
            Self::Narrow(ring) => ring.params(),
            Self::Wide(ring) => ring.params(),
        }
    }

    #[inline]
    pub(super) fn submitter(&self) -> Submitter<'_> {
        match self {
            Self::Narrow(ring) => ring.submitter(),
            Self::Wide(ring) => ring.submitter(),
        }
    }

    #[inline]
    pub(super) fn submission(&mut self) -> SubmissionQueue<'_> {
        match self {
            Self::Narrow(ring) => ring.submission(),
            Self::Wide(ring) => ring.submission(),
        }
    }

    #[inline]
    pub(super) fn has_completion(&mut self) -> bool {
        match self {
            Self::Narrow(ring) => !ring.completion().is_empty(),
            Self::Wide(ring) => !ring.completion().is_empty(),
        }
    }

    /// Takes the next completion, and the first number of its second half; 0 if it has none.
    #[inline]
    pub(super) fn completion(&mut self) -> Option<(cqueue::Entry, u64)> {
        match self {
            Self::Narrow(ring) => Some((ring.completion().next()?, 0)),
            Self::Wide(ring) => {
                let entry = ring.completion().next()?;
                let [extra, _] = *entry.big_cqe();
                Some((entry.into(), extra))
            }
        }
    }
}

fn build<C: cqueue::EntryMarker>(
    mut builder: Builder<squeue::Entry, C>,
    requests: u32,
    completions: u32,
    is_deferred: bool,
    thread: Option<QueueThread>,
) -> io::Result<IoUring<squeue::Entry, C>> {
    // A request that fails when it is handed over must not keep back those behind it (submit all).
    builder
        .setup_clamp()
        .setup_submit_all()
        .setup_cqsize(completions);
    if is_deferred {
        builder
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag();
    }
    if let Some(QueueThread { idle, cpu }) = thread {
        // Zero would be the kernel's default of a second.
        let idle = u32::try_from(idle.as_millis()).unwrap_or(u32::MAX).max(1);
        builder.setup_sqpoll(idle);
        if let Some(cpu) = cpu {
            builder.setup_sqpoll_cpu(cpu);
        }
    }
    builder.build(requests)
}
