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

/// What libtest says in the copy is no verdict here.
#[test]
fn exits_unnoticed_after_a_good_copy() {
    const COPY: &str = "LAB_TOGETHER_COPY";
    if std::env::var_os(COPY).is_some() {
        return;
    }
    let status = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "exits_unnoticed_after_a_good_copy",
            "--test-threads=1",
        ])
        .env(COPY, "1")
        .status()
        .expect("run a copy");
    assert!(status.success(), "{status}");
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

/// A write to a frozen file system ends for no signal.
#[test]
fn hangs_in_the_kernel() {
    sh("modprobe loop && modprobe ext4 && mkdir /run/frozen && truncate -s 8M /run/image");
    sh(
        "mkfs.ext4 -q /run/image && mount -o loop /run/image /run/frozen && fsfreeze -f /run/frozen",
    );
    fs::write("/run/frozen/file", "never").unwrap();
}

#[test]
#[ignore = "an ignored test counts as failed"]
fn is_ignored() {}

/// Nobody waits for it, and it stays in the group that is killed in the end.
#[test]
fn leaves_a_child() {
    let child = Command::new("tail").args(["-f", "/dev/null"]).spawn();
    std::mem::forget(child.expect("run tail"));
}

/// From when the process has ended.
#[test]
fn leaves_a_kernel_warning() {
    let wait = format!("while kill -0 {}; do :; done", std::process::id());
    let warn = "echo 'WARNING: CPU: 0 PID: 1 at seeded, late' > /dev/kmsg";
    sh(&format!(
        "setsid sh -c \"{wait}; {warn}\" >/dev/null 2>&1 &"
    ));
}

#[test]
fn leaves_a_mount() {
    sh("mkdir /run/left && mount -t tmpfs left /run/left");
}

#[test]
fn leaves_a_process() {
    sh("setsid sleep 300 >/dev/null 2>&1 & until grep -qsx sleep /proc/$!/comm; do :; done");
}

#[test]
fn leaves_a_sysctl_changed() {
    fs::write("/proc/sys/net/core/somaxconn", "4711").expect("change it");
}
