//! Forking, for tests.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// Runs `body` in a forked child, and fails if that panics or is ended by a signal. The process must have one thread: the
/// child can then run any code.
pub(crate) fn in_a_forked_child(body: impl FnOnce()) {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    assert_eq!(threads, 1, "a child of several threads can do little");
    // SAFETY: the process has one thread, so no other can hold a lock that the child waits for.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        }
        ForkResult::Child => {
            let outcome = catch_unwind(AssertUnwindSafe(body));
            let _ = std::io::stdout().flush();
            // SAFETY: the call ends the process, and takes a number.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
    }
}
