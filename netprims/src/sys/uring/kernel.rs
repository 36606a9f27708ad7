use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use io_uring::types::Timespec;
use socket2::SockAddrStorage;

use super::zcrx::Provider;

/// The kernel's side of a ring.
///
/// # Safety
///
/// The engine frees and lends memory on the word of an implementation. It must
///
/// - return from [`completion`](Kernel::completion) only what the kernel posted, unchanged, each completion once;
/// - after the last completion of a request, which is the one without `more`, let nobody use the request's memory;
/// - touch the memory of a request only in the way its operation says;
/// - give as the result of an accept that succeeded a descriptor that is open and that nobody owns.
pub(crate) unsafe trait Kernel: Provider {
    /// Queues a request; the kernel sees it at the next [`enter`](Kernel::enter).
    ///
    /// # Safety
    ///
    /// Until the request's last completion was returned, the memory that its operation names stays mapped; nobody writes
    /// what the operation reads, and nobody uses what it writes. Until an `enter` has taken the request, or it is
    /// [certain](Kernel::is_taken_by_others) that none will, the descriptor of its target stays open.
    unsafe fn push(&mut self, request: &Request) -> Result<(), QueueFull>;

    /// Queues a request and, behind it, its linked timeout: both or neither.
    ///
    /// # Safety
    ///
    /// As for [`push`](Kernel::push), for both.
    unsafe fn push_both(&mut self, request: &Request, limit: &Request) -> Result<(), QueueFull>;

    /// Requests queued that no `enter` has taken.
    fn queued(&mut self) -> usize;

    /// Hands the queue to the kernel, lets it post what it has ready and, with a wait, blocks until a completion is there
    /// or the time is over.
    fn enter(&mut self, wait: Option<Wait>) -> io::Result<()>;

    /// Hands the queue to the kernel and waits, where somebody else takes it, for at most the limit until it is taken.
    fn hand_over(&mut self, _limit: Duration) -> io::Result<()> {
        self.enter(None)
    }

    /// Whether it would do something if it were entered, of which no bell tells.
    fn is_work_left(&mut self) -> bool;

    /// Whether there may be a completion to take.
    fn has_completion(&mut self) -> bool {
        true
    }

    /// Takes the next completion.
    fn completion(&mut self) -> Option<Completion>;

    /// Asks the kernel to give up every request it has not finished, for at most this long.
    fn cancel_all(&mut self, limit: Duration) -> io::Result<()>;

    /// Forgets a fixed buffer: the kernel unpins its pages, once no request uses it.
    fn unregister(&mut self, buffer: u16) -> io::Result<()>;

    /// Makes a range of memory a fixed buffer. The kernel pins its pages until the buffer's number is unregistered or
    /// the ring is closed.
    ///
    /// # Safety
    ///
    /// The range is mapped and readable and writable, and no byte of it is used but through requests and by its owner.
    unsafe fn register(&mut self, buffer: u16, address: *mut u8, len: usize) -> io::Result<()>;

    /// Makes a table of registered files with this many places, all free.
    fn register_files(&mut self, places: u32) -> io::Result<()>;

    /// Puts a file into a place of that table, or frees the place.
    fn set_file(&mut self, place: u32, fd: Option<RawFd>) -> io::Result<()>;

    /// Makes a ring of provided buffers a group that requests can name. The kernel pins the ring's own memory, and reads
    /// what it shows, until the group is unregistered or the ring is closed.
    ///
    /// # Safety
    ///
    /// `ring` is the start of a page-aligned mapping of `places` entries of `struct io_uring_buf`, with a tail that shows
    /// none yet. Whatever it will show is a buffer that stays mapped, and that nobody uses, from then on until a
    /// completion of a request that names the group gives it up; or until the group is unregistered and every request
    /// that names it had its last completion.
    unsafe fn register_group(
        &mut self,
        group: u16,
        ring: *mut u8,
        places: u16,
        is_incremental: bool,
    ) -> io::Result<()>;

    /// Forgets a group of provided buffers.
    fn unregister_group(&mut self, group: u16) -> io::Result<()>;

    /// Whether this is the process that made the ring. A forked child has a copy of it, and shares its sockets.
    fn is_home(&self) -> bool {
        true
    }

    /// Whether somebody else takes the queue, who may go on after this has closed its descriptor of the ring: a forked
    /// child may have one, too.
    fn is_taken_by_others(&self) -> bool {
        false
    }

    /// Whether one receive may fill several provided buffers.
    fn receives_bundles(&self) -> bool;

    /// Whether its completions and its way of working are those that zero-copy receive needs.
    fn receives_zero_copy(&self) -> Result<(), Unfit>;

    /// Whether it knows zero-copy sends.
    fn sends_zero_copy(&self) -> bool;

    /// Whether notifications tell a copy from a zero-copy send.
    fn reports_usage(&self) -> bool;

    /// Whether it knows zero-copy sends of several buffers.
    fn sends_messages_zero_copy(&self) -> bool;

    /// Whether these can lie in a fixed buffer.
    fn sends_fixed_messages(&self) -> bool;
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) user_data: u64,
    pub(crate) target: Target,
    pub(crate) operation: Operation,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The ring itself.
    Ring,
    Descriptor(RawFd),
    /// A place in the table of registered files.
    Registered(u32),
}

/// What a request does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    /// Reads `len` bytes at `address`. With `zero_copy` they are in the fixed buffer of that number.
    Send {
        address: *const u8,
        len: u32,
        buffer: u16,
        zero_copy: bool,
    },
    /// The same, and reads the address it goes to.
    SendTo {
        address: *const u8,
        len: u32,
        buffer: u16,
        zero_copy: bool,
        to: Destination,
    },
    /// accept(2), again and again until the completion without `more`. Uses no memory.
    Accept,
    /// Writes up to `len` bytes at `address`. With `tells_all` the result is the length of the whole message.
    Receive {
        address: *mut u8,
        len: u32,
        tells_all: bool,
    },
    /// Receives again and again into the buffers that the group shows, each time into one of them, or as a bundle into as
    /// many as there are bytes for. With `tells_all` a result is the length of the whole message.
    ReceiveMultishot {
        group: u16,
        is_bundle: bool,
        tells_all: bool,
    },
    /// Reads the header, and writes it, the address and the control messages and the bytes that it names.
    ReceiveMessage { header: *mut libc::msghdr },
    /// Reads the header, and receives messages again and again into the buffers that the group shows, each into one of
    /// them, with all that is told of it before its bytes.
    ReceiveMessages {
        group: u16,
        header: *const libc::msghdr,
    },
    /// Receives again and again into pages of the area that was registered with the queue of this number.
    ReceiveZeroCopy { queue: u32 },
    /// Reads the header, the address, the control messages and the ranges it names, and the bytes those name. With `zero_copy` and a `buffer` all of them are in
    /// the fixed buffer of that number.
    SendMessage {
        header: *const libc::msghdr,
        buffer: Option<u16>,
        zero_copy: bool,
    },
    /// shutdown(2). Uses no memory.
    Shutdown { how: i32 },
    /// connect(2). Reads `len` bytes of the address.
    Connect {
        address: *const SockAddrStorage,
        len: u32,
    },
    /// Completes after a time, with `ETIME`. Reads the time.
    Timeout { after: *const Timespec },
    /// Cancels the request before it after a time. Reads the time.
    Limit { after: *const Timespec },
    /// Gives up the request of this user data. Uses no memory.
    Cancel { user_data: u64 },
    /// Gives up all requests about the target. Uses no memory.
    CancelAll,
}

/// An address to send to, of so many bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination {
    pub(crate) address: *const SockAddrStorage,
    pub(crate) len: u32,
}

/// How long to block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    AtMost(Duration),
    Forever,
    /// Until there are so many completions, or one and this time is over, or at most for the limit.
    Gather {
        completions: u32,
        within: Duration,
        limit: Duration,
    },
}

/// What the kernel says about a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Completion {
    pub(crate) user_data: u64,
    pub(crate) result: i32,
    /// `IORING_CQE_F_MORE`: another completion of the same request follows.
    pub(crate) more: bool,
    /// `IORING_CQE_F_NOTIF`: this is the notification that the memory is free.
    pub(crate) notification: bool,
    /// `IORING_CQE_F_BUFFER`: the provided buffer that was used.
    pub(crate) buffer: Option<u16>,
    /// `IORING_CQE_F_BUF_MORE`: the kernel goes on with that buffer.
    pub(crate) buffer_more: bool,
    /// The first number of its second half, where it has one.
    pub(crate) extra: u64,
}

/// Why a ring is not one for zero-copy receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Its completions have no second half.
    Narrow,
    /// The kernel does not defer work (before Linux 6.1).
    NotDeferred,
}

/// The submission queue has no room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueFull;
