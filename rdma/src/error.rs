//! What can go wrong.

use std::io;

use crate::qp::Queue;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: the operation, the object, the system's error, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The dynamic linker did not find libibverbs.
    #[error(
        "libibverbs.so.1 cannot be loaded ({reason}); install rdma-core's libraries (Debian and \
         Ubuntu: libibverbs1 ibverbs-providers; Fedora: libibverbs)"
    )]
    LibraryMissing {
        /// What the dynamic linker said.
        reason: String,
    },
    /// The library is there, but older than rdma-core 32.
    #[error("libibverbs.so.1 has no `{symbol}`; rdma-core 32 or newer is needed")]
    LibraryTooOld {
        /// The function that it lacks.
        symbol: &'static str,
    },
    /// The library is there, and no device.
    #[error(
        "no RDMA device; see `rdma link`, and whether ib_uverbs is loaded. Soft-RoCE gives any \
         network device one: rdma link add rxe0 type rxe netdev NETDEV"
    )]
    NoDevice,
    /// No device has this name.
    #[error("no RDMA device named {name}; there are: {}", available.join(", "))]
    NoSuchDevice {
        /// The name asked for.
        name: String,
        /// The names there are.
        available: Vec<String>,
    },
    /// A call into the library failed.
    #[error("{operation} {object}: {source}{hint}")]
    Verb {
        /// The C function.
        operation: &'static str,
        /// What it was called on.
        object: String,
        /// The system's error.
        source: io::Error,
        /// What is probably wrong, or empty; begins with a space.
        hint: String,
    },
    /// Something that not every device has is missing here.
    #[error("{device} has no {feature}: {lacking}")]
    Unsupported {
        /// What was asked for.
        feature: &'static str,
        /// The device.
        device: String,
        /// Where it is missing.
        lacking: crate::Lacking,
    },
    /// Too few huge pages are left.
    #[error("{wanted} huge pages of {page}: {source}; {}", crate::mr::advice(*page, *wanted, *available))]
    NoHugePages {
        /// How many were wanted.
        wanted: u64,
        /// Of which size.
        page: crate::HugePage,
        /// How many there are; `None`: the kernel or the processor has none of that size.
        available: Option<u64>,
        /// The system's error.
        source: io::Error,
    },
    /// Memory that is to be exposed does not begin and end at multiples of eight.
    #[error(
        "memory of {len} bytes does not begin and end at addresses that eight divides, as memory that peers \
         use must"
    )]
    NotWords {
        /// How many bytes it has.
        len: usize,
    },
    /// The memory cannot be given back: somebody still has a part of it.
    #[error("{holders} buffers, windows, requests or clones of the region still have its memory")]
    MemoryInUse {
        /// How many there are.
        holders: usize,
    },
    /// The port has no GID that traffic could use.
    #[error("port {port} of {device} has no GID; on RoCE, give its network device an IP address")]
    NoGid {
        /// The device.
        device: String,
        /// The port.
        port: u8,
    },
    /// A number outside the range of what it counts.
    #[error("{what} {value}: must be {rule}")]
    OutOfRange {
        /// What the number counts.
        what: &'static str,
        /// The number.
        value: u64,
        /// The numbers allowed.
        rule: &'static str,
    },
    /// A text that is no address.
    #[error("{text:?} is no {what}")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// The completion queue has not enough entries left for the queue pair.
    #[error(
        "the {queue} needs {wanted} entries of its completion queue, which has {free} of \
         {capacity} left; create it larger, or poll it empty after destroying queue pairs"
    )]
    CqFull {
        /// Whose completions they would be.
        queue: Queue,
        /// Entries needed.
        wanted: u32,
        /// Entries left.
        free: u32,
        /// Entries it was created with.
        capacity: u32,
    },
    /// The objects belong to different open devices.
    #[error("the completion queue for the {queue} belongs to another open device")]
    OtherContext {
        /// Whose completions it should take.
        queue: Queue,
    },
    /// The completion channel belongs to another open device.
    #[error("the completion channel belongs to another open device than the completion queue")]
    OtherChannel,
    /// The completion queue was made without a channel, so nothing tells of its completions.
    #[error("the completion queue has no channel; make it with create_cq_with_events")]
    NoChannel,
    /// So many queue pairs are alive, or destroyed and possibly still in a completion queue, that
    /// they cannot be told apart any more.
    #[error(
        "2^31 - 1 queue pairs are alive, or destroyed with completions that may not have been \
         polled; poll their completion queues empty"
    )]
    TooManyQps,
    /// A poll failed, and completions may be lost with it. The completion queue gives no more, and
    /// no queue pair can be created on it; those that it has get their buffers back when dropped.
    #[error(
        "ibv_poll_cq returned {result}: completions may be lost; close the queue pairs on this \
         completion queue, and make new ones on a new one"
    )]
    CqFailed {
        /// What the driver returned: negative, or more than was asked for. Drivers have numbers of
        /// their own; it is no `errno`.
        result: i32,
    },
    /// The queue holds as much as it may; completions make room.
    #[error("{queue} full: {depth} in flight; poll for completions first")]
    QueueFull {
        /// The queue.
        queue: Queue,
        /// How much it may hold.
        depth: u32,
    },
    /// The queue is not full, but its next slot is still taken: the oldest receive has not come
    /// back, while later ones have. Its completion was dropped, or is yet to be handed over.
    #[error(
        "{queue} blocked with {in_flight} in flight: the oldest has not come back although later \
         ones have; was its completion dropped?"
    )]
    QueueBlocked {
        /// The queue.
        queue: Queue,
        /// How much is in flight.
        in_flight: u32,
    },
    /// The message is longer than the queue pair's port can send.
    #[error("{len} bytes are more than QP {qpn} can send in one message, which is {max}")]
    MessageTooLong {
        /// The queue pair.
        qpn: u32,
        /// How many bytes the buffer shows.
        len: usize,
        /// How many the port can send.
        max: u32,
    },
    /// More bytes than the queue pair's requests can carry in themselves.
    #[error(
        "{len} bytes are more than a request of QP {qpn} can carry in itself, which is {max}; ask \
         for more when creating it (QpCap::inline), or send a buffer"
    )]
    InlineTooLong {
        /// The queue pair.
        qpn: u32,
        /// How many bytes.
        len: usize,
        /// How many it can carry.
        max: u32,
    },
    /// The buffers show more bytes than the peer's memory has, or an atomic's not eight.
    #[error("{len} bytes where the request moves {least} to {most}")]
    WrongLength {
        /// How many bytes the buffers show.
        len: usize,
        /// The fewest that the request moves.
        least: u32,
        /// The most.
        most: u32,
    },
    /// More buffers than one request may have.
    #[error(
        "{count} buffers in one request of the {queue}, which takes {max}; ask for more when \
         creating the queue pair (QpCap::pieces)"
    )]
    TooManyBufs {
        /// The queue.
        queue: Queue,
        /// How many.
        count: usize,
        /// How many it takes.
        max: u32,
    },
    /// The buffer is registered in another protection domain than the queue pair's.
    #[error("the buffer belongs to another protection domain than QP {qpn}")]
    OtherPd {
        /// The queue pair.
        qpn: u32,
    },
    /// The queue pair was not made for this kind of work.
    #[error(
        "QP {qpn} was not made for this work; ask for it when creating it (QpCap::atomic_writes, \
         QpCap::flushes)"
    )]
    NotMadeFor {
        /// The queue pair.
        qpn: u32,
    },
    /// The shared receive queue was made in another protection domain than the queue pair.
    #[error("the shared receive queue belongs to another protection domain than the queue pair")]
    OtherDomain,
    /// Something failed on this queue pair before; no more can be posted to it.
    #[error("QP {qpn} is in the error state after an earlier failure; connect a new one")]
    QpFailed {
        /// The queue pair.
        qpn: u32,
    },
    /// The device reported work that this queue pair never posted, or reported it twice. Its
    /// buffers are lost on purpose: nobody knows which of them the device still uses.
    #[error(
        "QP {qpn} got a completion that fits nothing in flight; its driver is broken, and its \
         buffers stay allocated for safety"
    )]
    QpPoisoned {
        /// The queue pair.
        qpn: u32,
    },
    /// The post failed without a word about what was queued, so everything counts as queued: the
    /// queue pair is put in the error state, and the buffer comes back by a completion.
    #[error(
        "{operation} on QP {qpn} failed ({source}) and may have been queued; QP put in error state"
    )]
    PostUncertain {
        /// The C function.
        operation: &'static str,
        /// The queue pair.
        qpn: u32,
        /// The system's error.
        source: io::Error,
    },
    /// A send completed, and a signalled one before it has not. Completions of a queue pair must be
    /// handed to it in the order they were polled. If the earlier one is at hand, hand it over, and
    /// then this one again; if it was dropped or the driver lost it, the buffers come back when the
    /// queue pair is closed.
    #[error(
        "the completion of an earlier send on QP {qpn} was not handed over; hand completions over \
         in the order they are polled, or close the QP if it is lost"
    )]
    CompletionMissing {
        /// The queue pair.
        qpn: u32,
    },
    /// The queue pair is not attached to the group.
    #[error("QP {qpn} is not attached to group {group}")]
    NotAttached {
        /// The queue pair.
        qpn: u32,
        /// The group.
        group: crate::Group,
    },
    /// A completion was offered to a shared receive queue that did not post its work.
    #[error("the completion is not of this shared receive queue")]
    OtherSrq,
    /// A post to this shared receive queue failed without a word about what was queued, or the device
    /// reported a receive that was never posted to it, or twice.
    #[error(
        "the shared receive queue failed earlier: a post that may have been queued, or a \
         completion that fits nothing; make a new one"
    )]
    SrqFailed,
    /// A completion was offered to a queue pair that did not post its work.
    #[error("the completion is not of QP {qpn}")]
    OtherQp {
        /// The queue pair it was offered to.
        qpn: u32,
    },
    /// Work ended without success.
    #[error("work on the {queue} failed: {status} (vendor error {vendor_error:#x})")]
    WorkFailed {
        /// The queue.
        queue: Queue,
        /// How it ended.
        status: crate::WcStatus,
        /// A number of the driver's own.
        vendor_error: u32,
    },
}
