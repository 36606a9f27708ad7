//! Signals that interrupt system calls.

use std::os::unix::thread::JoinHandleExt;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

extern "C" fn nothing(_: libc::c_int) {}

/// Gives `SIGUSR1` a handler that does nothing and, other than most, does not have system calls restarted.
pub(crate) fn interrupt_on_usr1() {
    // SAFETY: `sigaction` is a plain C struct: all zeroes is the value without flags and with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as *const () as usize;
    // SAFETY: the kernel reads `action`, a live local, whose handler is a function of the type that goes without
    // `SA_SIGINFO`, does nothing, and so may run at any moment. The old action is not asked for.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0);
}

/// Sends a thread `SIGUSR1` again and again until it has ended, and says what it returned. [`interrupt_on_usr1`] was
/// called before.
pub(crate) fn interrupt_until_it_ends<T>(thread: JoinHandle<T>) -> T {
    let start = Instant::now();
    while !thread.is_finished() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it goes on waiting"
        );
        // SAFETY: the thread was not joined: the handle is here. So its id is that of a thread, even if it has ended.
        let result = unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
        assert!(result == 0 || result == libc::ESRCH, "{result}");
        std::thread::sleep(Duration::from_millis(5));
    }
    thread.join().unwrap()
}
