//! Seeded faults among tests that run in one process, as a library's do: each must be told from
//! those beside it. Run by `cargo xtask test`, which knows the verdict each must get. The order of
//! the names is the one they run in.

use std::fs;
use std::process::Command;
use std::time::Duration;

fn sh(line: &str) {
    let status = Command::new("sh")
        .args(["-c", line])
        .status()
        .expect("run sh");
    assert!(status.success(), "{line}: {status}");
}

#[test]
fn aborts() {
    std::process::abort();
}

/// A good one, in the process that follows.
#[test]
fn after_one_that_aborted() {}

#[test]
fn complains_in_the_kernel_log() {
    // Long enough to be seen by itself: the log is read now and then.
    let look = Duration::from_millis(200);
    std::thread::sleep(look);
    fs::write("/dev/kmsg", "WARNING: CPU: 0 PID: 1 at seeded\n").unwrap();
    std::thread::sleep(look);
}

#[test]
fn exits_in_the_middle() {
    std::process::exit(0);
}

#[test]
fn fails() {
    panic!("as it should");
}

/// A good one, between two that are not; what it prints is no verdict of the next.
#[test]
fn good() {
    sh("echo; echo 'test of a child ... FAILED'");
}

#[test]
fn hangs() {
    std::thread::sleep(Duration::from_secs(3600));
}

#[test]
#[ignore = "an ignored test counts as failed"]
fn is_ignored() {}

#[test]
fn leaves_a_process() {
    sh("setsid sleep 300 >/dev/null 2>&1 & until grep -qsx sleep /proc/$!/comm; do :; done");
}

/// A write to a frozen file system ends for no signal.
#[test]
fn stays_in_the_kernel() {
    sh("modprobe loop && modprobe ext4 && mkdir /run/frozen && truncate -s 8M /run/image");
    sh(
        "mkfs.ext4 -q /run/image && mount -o loop /run/image /run/frozen && fsfreeze -f /run/frozen",
    );
    fs::write("/run/frozen/file", "never").unwrap();
}
