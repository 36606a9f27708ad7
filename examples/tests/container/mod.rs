//! Programs under the seccomp filter of a container.

use std::process::{Command, Output};
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

/// Runs a program to which every io_uring system call answers `errno`, and what it starts.
pub(crate) fn run(errno: u16, mut command: Command) -> Output {
    // A filter stays on its thread for good, and a process has that of the thread that starts it.
    let thread = thread::spawn(move || {
        for call in IO_URING {
            sys::seccomp::refuse(call, errno).expect("a seccomp filter");
        }
        command.output().expect("a program")
    });
    thread.join().expect("a thread")
}
