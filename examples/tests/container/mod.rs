//! Programs under the seccomp filter of a container.

use std::io;
use std::thread;

#[expect(unsafe_code, reason = "a seccomp filter")]
#[path = "../../../netprims/tests/sys"]
mod sys {
    pub(crate) mod seccomp;
}

/// All of io_uring. Container runtimes refuse all three.
const IO_URING: [libc::c_long; 3] = [
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Starts a program to which every io_uring system call answers `errno`, and so to what it starts.
pub(crate) fn inside<R: Send>(errno: u16, start: impl FnOnce() -> R + Send) -> R {
    filtered(
        || {
            IO_URING
                .iter()
                .try_for_each(|call| sys::seccomp::refuse(*call, errno))
        },
        start,
    )
}

/// Starts a program that gets no netlink socket: what a kernel says that has no netlink.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn without_netlink<R: Send>(start: impl FnOnce() -> R + Send) -> R {
    const EAFNOSUPPORT: u16 = 97;
    filtered(
        || sys::seccomp::refuse_family(libc::AF_NETLINK, EAFNOSUPPORT),
        start,
    )
}

/// A filter stays on its thread for good, and a process has that of the thread that starts it.
fn filtered<R: Send>(
    install: impl FnOnce() -> io::Result<()> + Send,
    start: impl FnOnce() -> R + Send,
) -> R {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            install().expect("a seccomp filter");
            start()
        });
        thread.join().expect("a thread")
    })
}
