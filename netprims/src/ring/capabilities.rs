use super::Known;
use crate::sys::uring::{Capable, Setup};

/// What the kernel offers this ring, found by asking and by trying.
///
/// Multishot accepts and receives (Linux 5.19 and 6.0), buffer rings (5.19), registered files, linked timeouts and a thread
/// for the queue are with every kernel on which a ring can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Capabilities {
    /// Zero-copy sends (Linux 6.0). Without, every send is plain.
    pub zero_copy: bool,
    /// The report whether a zero-copy send copied (Linux 6.2, and 6.1 as it is maintained). Without, usage is unknown.
    pub usage_report: bool,
    /// Completions are prepared on the ring's thread when it polls (`IORING_SETUP_DEFER_TASKRUN`, Linux 6.1). Without,
    /// they interrupt it.
    pub deferred_work: bool,
    /// The ring has a thread of the kernel's that takes its queue, as was [asked for](super::RingBuilder::sqpoll).
    pub queue_thread: bool,
    /// [`Wait::Gather`](super::Wait::Gather) is one call (`IORING_FEAT_MIN_TIMEOUT`, Linux 6.12). Without, it is two.
    pub gather: bool,
    /// Zero-copy sends of several pieces (`IORING_OP_SENDMSG_ZC`, Linux 6.1).
    pub zero_copy_messages: bool,
    /// Bundles, sends and receives that take several buffers at once (`IORING_FEAT_RECVSEND_BUNDLE`, Linux 6.10). The ring
    /// [receives](super::RxPlan::bundles) with them. It does not send with them: sends of a stream that wait for their turn
    /// go together as one `sendmsg`, which costs the same (92 ns a message of 64 bytes where 16 waited, a bundle 99, and one
    /// request each 1215), and needs no group of buffers for every stream.
    pub bundles: bool,
    /// [`RingBuilder::busy_poll`](super::RingBuilder::busy_poll) (`IORING_REGISTER_NAPI`, Linux 6.9, on a kernel with
    /// `CONFIG_NET_RX_BUSY_POLL`).
    pub busy_poll: bool,
    /// Zero-copy receives (`IORING_OP_RECV_ZC`, Linux 6.15). Whether a network device takes part is another question.
    pub zero_copy_receive: bool,
    /// Slots that are filled bit by bit (`IOU_PBUF_RING_INC`, Linux 6.12), which [`RxPlan::incremental`](super::RxPlan::incremental)
    /// asks for.
    pub incremental: bool,
    /// What the kernel says of itself (Linux 6.18); `None` where it cannot be asked.
    pub known: Option<Known>,
}

impl Capabilities {
    pub(super) fn new(setup: Setup, capable: Capable) -> Self {
        Self {
            zero_copy: setup.zero_copy,
            usage_report: setup.usage,
            deferred_work: setup.deferred,
            queue_thread: setup.queue_thread,
            gather: setup.gathers,
            zero_copy_messages: capable.zero_copy_messages,
            bundles: capable.bundles,
            busy_poll: capable.busy_poll,
            zero_copy_receive: capable.zero_copy_receive,
            incremental: capable.incremental,
            known: capable.known.map(Known::from),
        }
    }
}
