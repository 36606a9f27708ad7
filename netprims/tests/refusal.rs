//! A ring where io_uring is refused.
#![cfg(feature = "ring")]

use std::net::UdpSocket;

use netprims::Error;
use netprims::ring::{Refusal, Ring, Wait, ZcPolicy};
use rstest::rstest;
use sys::seccomp::refuse;

#[expect(unsafe_code, reason = "a seccomp filter")]
mod sys {
    pub(crate) mod seccomp;
}

/// A filter stays on its thread for good, so each case has one of its own.
#[rstest]
#[case::as_docker_answers(libc::SYS_io_uring_setup, "io_uring_setup", 1)]
#[case::as_podman_answers(libc::SYS_io_uring_setup, "io_uring_setup", 38)]
#[case::half_a_filter(libc::SYS_io_uring_register, "io_uring_register", 1)]
#[case::the_other_half(libc::SYS_io_uring_enter, "io_uring_enter", 38)]
fn a_seccomp_filter_is_named(#[case] call: i64, #[case] name: &str, #[case] errno: u16) {
    let refused = std::thread::spawn(move || {
        refuse(call, errno).unwrap();
        Ring::builder().build().map(drop)
    });
    let error = refused.join().unwrap().unwrap_err();
    let Error::RingRefused { operation, refusal } = &error else {
        panic!("{error}")
    };
    assert_eq!(*operation, name);
    assert!(matches!(refusal, Refusal::Seccomp { .. }), "{error}");
    assert_eq!(error.raw_os_error(), Some(i32::from(errno)));
    let text = error.to_string();
    assert!(text.starts_with(name) && text.contains("seccomp"), "{text}");
    // Other threads are not filtered.
    Ring::builder().build().unwrap();
}

/// What a kernel before 6.0 says to a flag it does not know, or to a call.
#[rstest]
#[case::flags(libc::SYS_io_uring_setup, "io_uring_setup")]
#[case::calls(libc::SYS_io_uring_register, "io_uring_register")]
fn an_old_kernel_is_told_from_a_filter(#[case] call: i64, #[case] name: &str) {
    let refused = std::thread::spawn(move || {
        refuse(call, 22).unwrap();
        Ring::builder().build().map(drop)
    });
    let error = refused.join().unwrap().unwrap_err();
    let Error::RingRefused { operation, refusal } = &error else {
        panic!("{error}")
    };
    assert_eq!(*operation, name);
    assert!(matches!(refusal, Refusal::KernelTooOld { .. }), "{error}");
    assert!(error.to_string().contains("it takes Linux 6.0"), "{error}");
}

#[test]
fn a_poll_with_nothing_to_do_does_not_enter_the_kernel() {
    let thread = std::thread::spawn(|| {
        let mut ring = Ring::builder().build().unwrap();
        let pool = ring.tx_pool(1, 8).unwrap();
        let socket = ring.add(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        refuse(libc::SYS_io_uring_enter, 1).unwrap();
        assert_eq!(ring.poll(Wait::No, |_| ()).unwrap(), 0);
        ring.send(socket, pool.take().unwrap(), ZcPolicy::Always)
            .unwrap();
        let error = ring.poll(Wait::No, |_| ()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(1), "there is something to do");
    });
    thread.join().unwrap();
}
