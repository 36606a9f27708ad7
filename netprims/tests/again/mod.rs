//! Tests that run again in a process of their own: what they are about is a whole process's, and cannot be had in this one.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held while a process is started and waited for: its pipes are descriptors of this process.
static STARTING: Mutex<()> = Mutex::new(());

/// Keeps the tests beside this one from starting processes, for a test that counts descriptors.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn nothing_is_started() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the test's body under a limit as prlimit(1) takes it.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn limited(limit: &str, test: &str, body: impl FnOnce()) {
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(limit);
    again(limit, prlimit, test, body);
}

/// Runs the test's body where so many bytes may be locked: without CAP_IPC_LOCK, which knows no limit.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn with_lockable_memory(bytes: u32, test: &str, body: impl FnOnce()) {
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(format!("--memlock={bytes}"));
    // Without the capability in its bounding set root does not get it by executing a program.
    if nix::unistd::geteuid().is_root() {
        prlimit.args(["setpriv", "--bounding-set=-ipc_lock"]);
    }
    again("with little lockable memory", prlimit, test, body);
}

/// Runs the test's body without any capability.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn without_privilege(test: &str, body: impl FnOnce()) {
    let mut launcher = Command::new("env");
    if nix::unistd::geteuid().is_root() {
        launcher.args(["setpriv", "--bounding-set=-all", "--inh-caps=-all"]);
    }
    again("without privilege", launcher, test, body);
}

/// Runs the test's body in the process that the launcher starts, and panics if it fails there. `what` is what is different
/// there; several may lie within each other.
pub(crate) fn again(what: &str, mut launcher: Command, test: &str, body: impl FnOnce()) {
    const AROUND: &str = "NETPRIMS_TEST_AGAIN";
    let around = std::env::var(AROUND).unwrap_or_default();
    if around.lines().any(|it| it == what) {
        return body();
    }
    start(&mut launcher, test).env(AROUND, format!("{around}{what}\n"));
    let starting = nothing_is_started();
    let output = launcher
        .output()
        .unwrap_or_else(|error| panic!("{launcher:?}: {error}"));
    drop(starting);
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    // A process that ran no test succeeds as well.
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed, "{what}, {}:\n{text}", output.status);
}

/// Has the launcher start this test alone.
pub(crate) fn start<'a>(launcher: &'a mut Command, test: &str) -> &'a mut Command {
    launcher
        .arg(std::env::current_exe().expect("the path of this test"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
}
