//! Tests that run in namespaces of their own.

use std::process::Command;

use crate::again::again;

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
    let mut unshare = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    match fresh {
        Fresh::Network => unshare.args(["--net", "sh", "-c", "exec \"$@\"", "sh"]),
        Fresh::EmptyProc => {
            let line = "mount -t tmpfs none /proc && exec \"$@\"";
            unshare.args(["--mount", "sh", "-c", line, "sh"])
        }
    };
    again(&format!("in {fresh:?}"), unshare, test, body);
}
