//! What this process has open, before and after.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Only one test at a time may open anything.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs a test's body and compares `/proc/self/fd` before and after, also if it panics.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn balanced<T>(body: impl FnOnce() -> T) -> T {
    struct Check(BTreeMap<String, PathBuf>);

    impl Drop for Check {
        fn drop(&mut self) {
            let after = open_now();
            if !std::thread::panicking() {
                assert_eq!(self.0, after, "descriptors before and after");
            } else if self.0 != after {
                eprintln!("and descriptors leaked: {:?} {after:?}", self.0);
            }
        }
    }

    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _check = Check(open_now());
    body()
}

/// Number and target of each, without the one this looks through.
fn open_now() -> BTreeMap<String, PathBuf> {
    let list = std::fs::read_dir("/proc/self/fd").expect("/proc/self/fd");
    let open = list.filter_map(|entry| {
        let entry = entry.expect("/proc/self/fd");
        let target = std::fs::read_link(entry.path()).ok()?;
        let own = target.starts_with("/proc/") && target.ends_with("fd");
        (!own).then(|| (entry.file_name().to_string_lossy().into_owned(), target))
    });
    open.collect()
}

/// Whether a descriptor is close-on-exec.
#[allow(dead_code, reason = "not every test file that shares this asks for it")]
pub(crate) fn is_close_on_exec(fd: &impl AsFd) -> bool {
    nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETFD).expect("F_GETFD") == 1
}
