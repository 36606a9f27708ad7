//! epoll: the parts nix lacks, or asks an owner for.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::epoll::EpollEvent;

/// `struct epoll_params` of `include/uapi/linux/eventpoll.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Params {
    pub(crate) busy_poll_usecs: u32,
    pub(crate) busy_poll_budget: u16,
    pub(crate) prefer_busy_poll: u8,
    pub(crate) pad: u8,
}

const _: () = assert!(size_of::<Params>() == size_of::<libc::epoll_params>());

/// What to do with a descriptor of the set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Add,
    Modify,
    Remove,
}

/// `EPIOCSPARAMS`.
pub(crate) fn set_params(epoll: &OwnedFd, params: Params) -> io::Result<()> {
    // SAFETY: the kernel reads a `struct epoll_params` from the argument during the call; `params` is a live local of
    // that layout (asserted above). A descriptor of another kind refuses the number, or takes it for a request of its
    // own: the type and number are epoll's alone in the kernel's register of ioctl numbers.
    let result = unsafe { libc::ioctl(epoll.as_raw_fd(), libc::EPIOCSPARAMS, &raw const params) };
    check(result)
}

/// `EPIOCGPARAMS`.
pub(crate) fn params(epoll: &OwnedFd) -> io::Result<Params> {
    let mut params = Params::default();
    // SAFETY: the kernel writes a `struct epoll_params` to the argument during the call; `params` is a live local of
    // that layout (asserted above), for which every bit pattern is valid, and is not used otherwise meanwhile.
    let result = unsafe { libc::ioctl(epoll.as_raw_fd(), libc::EPIOCGPARAMS, &raw mut params) };
    check(result).map(|()| params)
}

/// `epoll_ctl`.
pub(crate) fn control(
    epoll: &OwnedFd,
    op: Op,
    fd: &impl AsFd,
    event: EpollEvent,
) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: u32::from_ne_bytes(event.events().bits().to_ne_bytes()),
        u64: event.data(),
    };
    let op = match op {
        Op::Add => libc::EPOLL_CTL_ADD,
        Op::Modify => libc::EPOLL_CTL_MOD,
        Op::Remove => libc::EPOLL_CTL_DEL,
    };
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the kernel reads a `struct epoll_event` from the last argument during the call; `event` is a live local
    // of that type. Both descriptors are open: their owners are borrowed.
    let result = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), op, fd, &raw mut event) };
    check(result)
}

/// `epoll_wait`: how many events it wrote to the start of `events`. A negative time has no end.
pub(crate) fn wait(epoll: &OwnedFd, events: &mut [EpollEvent], timeout: i32) -> io::Result<usize> {
    const _: () = assert!(size_of::<EpollEvent>() == size_of::<libc::epoll_event>());
    let room = i32::try_from(events.len()).unwrap_or(i32::MAX);
    // SAFETY: the kernel writes at most `room` events to the second argument during the call. `events` is borrowed for
    // as long, has at least that many, and its elements are `struct epoll_event`s: `EpollEvent` is transparent
    // (asserted in size above) and every bit pattern is one. The descriptor is open: `epoll` borrows its owner.
    let result =
        unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr().cast(), room, timeout) };
    // Negative is an error.
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
