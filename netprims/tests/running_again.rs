//! That a test which runs again in a process of its own can fail there.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use again::{again, limited, nothing_is_started, with_lockable_memory, without_privilege};

mod again;

/// What it says when it fails.
fn failure(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn a_body_that_fails_there_fails_here() {
    let test = "a_body_that_fails_there_fails_here";
    let text = failure(|| again("elsewhere", Command::new("env"), test, || panic!("seeded")));
    // There, the panic is caught as well, and is no text of a `String`.
    assert!(text.contains("elsewhere, exit status: 101"), "{text}");
    assert!(text.contains("seeded"), "{text}");
}

#[test]
fn a_body_that_did_not_run_fails() {
    let env = || Command::new("env");
    let text = failure(|| again("elsewhere", env(), "no_such_test", || ()));
    assert!(text.contains("0 passed"), "{text}");
    let text = failure(|| again("elsewhere", Command::new("/no/such/launcher"), "x", || ()));
    assert!(text.contains("/no/such/launcher"), "{text}");
}

#[test]
fn one_lies_within_another_and_each_is_what_it_says() {
    let test = "one_lies_within_another_and_each_is_what_it_says";
    limited("--nofile=33", test, || {
        with_lockable_memory(4096, test, || {
            without_privilege(test, || {
                let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
                let limit = |name: &str| {
                    let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
                    let words = line[name.len()..].split_whitespace();
                    words.map(str::to_owned).next().unwrap()
                };
                assert_eq!(limit("Max open files"), "33");
                assert_eq!(limit("Max locked memory"), "4096");
                let status = std::fs::read_to_string("/proc/self/status").unwrap();
                assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
            });
        });
    });
    // Nobody holds the lock any more.
    drop(nothing_is_started());
}
