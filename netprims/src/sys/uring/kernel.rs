use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// The kernel's side of a ring.
///
/// # Safety
///
/// The engine frees and lends memory on the word of an implementation. It must
///
/// - return from [`completion`](Kernel::completion) only what the kernel posted, unchanged, each completion once;
/// - after the last completion of a request (its first if that is without `more`, otherwise its notification) let
///   nobody read the request's memory;
/// - not touch the memory of a request in any way but reading it.
pub(crate) unsafe trait Kernel {
    /// Queues a send; the kernel sees it at the next [`enter`](Kernel::enter).
    ///
    /// # Safety
    ///
    /// Until the request's last completion was returned, the `len` bytes at `address` stay mapped and nobody writes
    /// them. Until an `enter` has taken the request, `fd` stays open.
    unsafe fn push(&mut self, request: &Request) -> Result<(), QueueFull>;

    /// Requests queued that no `enter` has taken.
    fn queued(&mut self) -> usize;

    /// Hands the queue to the kernel, lets it post what it has ready and, with a wait, blocks until a completion is there
    /// or the time is over.
    fn enter(&mut self, wait: Option<Wait>) -> io::Result<()>;

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

    /// Whether it knows zero-copy sends.
    fn sends_zero_copy(&self) -> bool;

    /// Whether notifications tell a copy from a zero-copy send.
    fn reports_usage(&self) -> bool;
}

/// One send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) fd: RawFd,
    pub(crate) address: *const u8,
    pub(crate) len: u32,
    /// The fixed buffer the bytes are in.
    pub(crate) buffer: u16,
    pub(crate) zero_copy: bool,
    pub(crate) user_data: u64,
}

/// How long to block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    AtMost(Duration),
    Forever,
}

/// What the kernel says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    pub(crate) user_data: u64,
    pub(crate) result: i32,
    /// `IORING_CQE_F_MORE`: another completion of the same request follows.
    pub(crate) more: bool,
    /// `IORING_CQE_F_NOTIF`: this is the notification that the memory is free.
    pub(crate) notification: bool,
}

/// The submission queue has no room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueFull;
