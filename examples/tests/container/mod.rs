//! Programs under the seccomp filter of a container.

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
    // A filter stays on its thread for good, and a process has that of the thread that starts it.
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            for call in IO_URING {
                sys::seccomp::refuse(call, errno).expect("a seccomp filter");
            }
            start()
        });
        thread.join().expect("a thread")
    })
}
