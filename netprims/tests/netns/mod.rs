//! Tests that run in namespaces of their own.

use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held while a process is started and waited for: its pipes are descriptors of this process.
static STARTING: Mutex<()> = Mutex::new(());

/// Keeps the tests beside this one from starting processes, for a test that counts descriptors.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn nothing_is_started() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a test's process gets for itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fresh {
    /// A network.
    Network,
    /// A `/proc` with nothing in it.
    #[allow(dead_code, reason = "not every test file that shares this asks for it")]
    EmptyProc,
}

/// Runs the test's body in a process of its own, with fresh namespaces: nothing of the host is touched. A user without
/// privilege gets a user namespace as well; root does not need one, and may not have one in a chroot.
pub(crate) fn in_fresh(fresh: Fresh, test: &str, body: impl FnOnce()) {
    const INSIDE: &str = "NETPRIMS_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let uid = std::fs::metadata("/proc/self").map(|process| process.uid());
    let mut command = Command::new("unshare");
    if !matches!(uid, Ok(0)) {
        command.args(["--user", "--map-root-user"]);
    }
    match fresh {
        Fresh::Network => command.args(["--net", "sh", "-c", "exec \"$@\"", "sh"]),
        Fresh::EmptyProc => {
            let line = "mount -t tmpfs none /proc && exec \"$@\"";
            command.args(["--mount", "sh", "-c", line, "sh"])
        }
    };
    let program = std::env::current_exe().expect("the path of this test");
    let starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let output = command
        .arg(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare, of util-linux");
    drop(starting);
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "in {fresh:?}:\n{text}");
    assert!(text.contains("1 passed"), "the body did not run:\n{text}");
}
