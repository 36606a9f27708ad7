//! A ring where io_uring is refused.
#![cfg(feature = "ring")]

use netprims::Error;
use netprims::ring::{Refusal, Ring};
use rstest::rstest;
use sys::seccomp::refuse_io_uring;

#[expect(unsafe_code, reason = "a seccomp filter")]
mod sys {
    pub(crate) mod seccomp;
}

/// A filter stays on its thread for good, so each case has one of its own.
#[rstest]
#[case::as_docker_answers(1)]
#[case::as_podman_answers(38)]
fn a_seccomp_filter_is_named(#[case] errno: u16) {
    let refused = std::thread::spawn(move || {
        refuse_io_uring(errno).unwrap();
        Ring::builder().build().map(drop)
    });
    let error = refused.join().unwrap().unwrap_err();
    assert!(
        matches!(error, Error::RingRefused(Refusal::Seccomp { .. })),
        "{error}"
    );
    assert_eq!(error.raw_os_error(), Some(i32::from(errno)));
    assert!(error.to_string().contains("seccomp"), "{error}");
    // Other threads are not filtered.
    Ring::builder().build().unwrap();
}
