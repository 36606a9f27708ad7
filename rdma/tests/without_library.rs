//! What the crate says where libibverbs is not, or is not what it should be. Under the feature `link` such a program does
//! not start, which is the dynamic linker's to say.

#![cfg(all(target_os = "linux", not(feature = "link")))]
#![expect(clippy::unwrap_used, reason = "helpers of tests assert as tests do")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netprims_rdma::{Device, Error};

/// Tells a process that the library is hidden from it.
const HIDDEN: &str = "NETPRIMS_RDMA_HIDDEN";

/// Runs a test of this file again, in a process that finds this file where it looks for the library.
fn again(test: &str, library: &[u8]) {
    let folder = env::temp_dir().join(format!("netprims-rdma-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("libibverbs.so.1"), library).unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("LD_LIBRARY_PATH", &folder)
        .env(HIDDEN, "yes")
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn is_hidden() -> bool {
    env::var_os(HIDDEN).is_some()
}

#[test]
fn without_the_library_the_error_says_what_to_install() {
    if !is_hidden() {
        return again(
            "without_the_library_the_error_says_what_to_install",
            b"no library",
        );
    }
    for _ in 0..2 {
        let error = Device::list().unwrap_err();
        assert!(matches!(error, Error::LibraryMissing { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("libibverbs.so.1 cannot be loaded") && text.contains("install rdma-core"),
            "{text}"
        );
    }
    assert!(matches!(Device::first(), Err(Error::LibraryMissing { .. })));
    assert!(matches!(
        Device::by_name("rxe0"),
        Err(Error::LibraryMissing { .. })
    ));
}

#[test]
fn a_library_that_lacks_a_function_is_too_old() {
    if !is_hidden() {
        let other = fs::read(loaded("libgcc_s.so.1")).unwrap();
        return again("a_library_that_lacks_a_function_is_too_old", &other);
    }
    let error = Device::list().unwrap_err();
    let Error::LibraryTooOld { symbol } = error else {
        panic!("{error}");
    };
    assert_eq!(symbol, "ibv_get_device_list");
}

/// A library that this process has.
fn loaded(name: &str) -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let paths = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    let found = paths.map(Path::new).find(|path| path.ends_with(name));
    found
        .unwrap_or_else(|| panic!("no {name} in {maps}"))
        .to_owned()
}
