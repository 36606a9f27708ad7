use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use super::abi::{
    AreaRegistration, Control, EventDescription, QUERY_EVENTS, QUERY_OPERATIONS, QUERY_QUEUES,
    QueryEvents, QueryHeader, QueryOperations, QueryQueues, QueueRegistration, REGISTER_CONTROL,
    REGISTER_QUERY, REGISTER_QUEUE, RegionDescription,
};

/// The kernel's side of registering and keeping a queue for zero-copy receive. A test replaces it to produce what no
/// kernel does on demand.
///
/// # Safety
///
/// An implementation must write no memory but the area and the refill region of a request it has accepted, from then on,
/// and of those no page of the area that it has told to be received into and that was not given back.
pub(crate) unsafe trait Provider {
    /// Registers a queue. The answer is in the request.
    ///
    /// # Safety
    ///
    /// The ranges of `area` and `region` are mapped, readable and writable, and no Rust reference to them exists or comes
    /// to be, but to what the kernel has received and does not write.
    unsafe fn register_queue(&mut self, request: &mut Registration) -> io::Result<()>;

    /// Does something with a registered queue.
    fn control(&mut self, control: &mut Control) -> io::Result<()>;

    /// How many operations of each kind the kernel knows.
    fn operations(&mut self) -> io::Result<QueryOperations>;

    /// What it knows of queues.
    fn queues(&mut self) -> io::Result<QueryQueues>;

    /// What it knows of notifications and statistics.
    fn events(&mut self) -> io::Result<QueryEvents>;
}

/// The structs of one registration. Their pointers to each other are the implementation's business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) queue: QueueRegistration,
    pub(crate) area: AreaRegistration,
    pub(crate) region: RegionDescription,
    pub(crate) events: Option<EventDescription>,
}

/// `io_uring_register` on a ring.
pub(crate) struct SystemCalls<'r> {
    ring: BorrowedFd<'r>,
}

/// The ring to ask what needs none.
const NO_RING: RawFd = -1;

impl<'r> SystemCalls<'r> {
    pub(crate) fn on(ring: BorrowedFd<'r>) -> Self {
        Self { ring }
    }
}

// SAFETY: after it has accepted a registration, the kernel writes to the pages of the two regions, which it pins, and to
// nothing else: it takes the other structs and writes the answers in the call (`io_register_zcrx` in `io_uring/zcrx.c`).
// A page that was received into is out of its free list, or counted in the page pool, until a refill entry names it
// (`io_zcrx_put_niov_uref`), or until the ring is closed, which is the engine's to time.
unsafe impl Provider for SystemCalls<'_> {
    unsafe fn register_queue(&mut self, request: &mut Registration) -> io::Result<()> {
        request.queue.area = address(&mut request.area);
        request.queue.region = address(&mut request.region);
        request.queue.events = request.events.as_mut().map_or(0, address);
        let argument = ptr::from_mut(&mut request.queue);
        // SAFETY: the kernel reads and writes the struct, and through its pointers the others, all of which live in the
        // request, are borrowed for the call, and have the layout it expects. What the caller promises of the ranges is
        // what it needs of them afterwards.
        unsafe { call(self.ring.as_raw_fd(), REGISTER_QUEUE, argument, 1) }
    }

    fn control(&mut self, control: &mut Control) -> io::Result<()> {
        // SAFETY: the kernel reads the struct, and writes only to it, in the call.
        unsafe { call(self.ring.as_raw_fd(), REGISTER_CONTROL, control, 0) }
    }

    fn operations(&mut self) -> io::Result<QueryOperations> {
        ask(QUERY_OPERATIONS)
    }

    fn queues(&mut self) -> io::Result<QueryQueues> {
        ask(QUERY_QUEUES)
    }

    fn events(&mut self) -> io::Result<QueryEvents> {
        ask(QUERY_EVENTS)
    }
}

/// A struct of integers, of which any bytes are a value.
///
/// # Safety
///
/// It is that, and has no padding.
unsafe trait Answer: Default {}
// SAFETY: integers, without padding: its size is the sum of theirs.
unsafe impl Answer for QueryOperations {}
// SAFETY: as above.
unsafe impl Answer for QueryQueues {}
// SAFETY: as above.
unsafe impl Answer for QueryEvents {}

/// Asks what the kernel knows. What it knows less of than the struct holds stays zero. Needs no ring and no privilege
/// (Linux 6.18).
fn ask<T: Answer>(operation: u32) -> io::Result<T> {
    let mut answer = T::default();
    let size = u32::try_from(size_of::<T>()).unwrap_or(0);
    let mut header = QueryHeader {
        data: address(&mut answer),
        operation,
        size,
        ..QueryHeader::default()
    };
    // SAFETY: the kernel reads and writes the header, and of the answer at most the size in the header, in the call.
    unsafe { call(NO_RING, REGISTER_QUERY, &mut header, 0) }?;
    if header.result < 0 {
        return Err(io::Error::from_raw_os_error(header.result.saturating_neg()));
    }
    Ok(answer)
}

/// Whether the kernel knows the registration of queues; `None` from one that cannot be asked (before Linux 6.18).
pub(crate) fn knows_receive_queues() -> Option<bool> {
    let operations = ask::<QueryOperations>(QUERY_OPERATIONS).ok()?;
    Some(operations.registers > REGISTER_QUEUE)
}

/// The address of what the kernel may write.
fn address<T>(target: &mut T) -> u64 {
    let address = ptr::from_mut(target).expose_provenance();
    // An address has at most 64 bits.
    u64::try_from(address).unwrap_or(0)
}

/// `io_uring_register`.
///
/// # Safety
///
/// What the kernel does with the argument in the operation is sound, in the call and after it.
unsafe fn call<T>(ring: RawFd, operation: u32, argument: *mut T, count: u32) -> io::Result<()> {
    // SAFETY: the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            ring,
            operation,
            argument,
            count,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a kernel without the query answers is what it has for an unknown operation.
    #[test]
    fn a_kernel_tells_its_operations_or_does_not_know_the_question() {
        match ask::<QueryOperations>(QUERY_OPERATIONS) {
            Ok(answer) => {
                assert!(answer.registers > REGISTER_QUERY, "{answer:?}");
                assert!(answer.requests > 58, "it has RECV_ZC: {answer:?}");
            }
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EINVAL)),
        }
    }

    #[test]
    fn a_question_no_kernel_knows_is_an_error() {
        let errno = ask::<QueryOperations>(u32::MAX).unwrap_err().raw_os_error();
        assert!(
            matches!(errno, Some(libc::EOPNOTSUPP | libc::EINVAL)),
            "{errno:?}"
        );
    }
}
