//! Accepts that end early, and numbers that must not be taken for descriptors.

use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};

use super::*;

/// A bench with an accept, which is request 0.
fn accepting() -> (Bench, Key) {
    let mut bench = bench(4);
    let key = bench.engine.accept(bench.socket).unwrap();
    (bench, key)
}

fn connection() -> (OwnedFd, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (near.into(), far)
}

fn accepted(bench: &mut Bench) -> (Key, OwnedFd) {
    match bench.engine.next() {
        Some(Outcome::Accepted { key, fd }) => (key, fd),
        Some(_) => panic!("something else"),
        None => panic!("nothing"),
    }
}

fn ended(bench: &mut Bench) -> (Key, i32) {
    match bench.engine.next() {
        Some(Outcome::AcceptEnded { key, errno }) => (key, errno),
        Some(_) => panic!("something else"),
        None => panic!("nothing"),
    }
}

#[test]
fn an_accept_that_ends_without_error_is_queued_again_under_its_key() {
    let (mut bench, key) = accepting();
    for nth in 0..3 {
        let (near, _far) = connection();
        let number = near.as_raw_fd();
        bench.kernel().accepted(nth, near, false);
        let (told, fd) = accepted(&mut bench);
        assert_eq!((told, fd.as_raw_fd()), (key, number));
        bench.engine.enter(None).unwrap();
        assert_eq!(bench.kernel().pushed.len(), nth + 2);
        assert_eq!(bench.kernel().pushed[nth + 1].user_data, key.to_bits());
    }
}

#[test]
fn an_aborted_connection_does_not_end_the_accept() {
    let (mut bench, _) = accepting();
    bench.kernel().result(0, -libc::ECONNABORTED, false);
    assert!(bench.engine.next().is_none());
    bench.engine.enter(None).unwrap();
    assert_eq!(bench.kernel().pushed.len(), 2);
}

#[test]
fn an_error_ends_it_once() {
    let (mut bench, key) = accepting();
    bench.kernel().result(0, -libc::EMFILE, false);
    bench.kernel().result(0, -libc::EMFILE, false);
    assert_eq!(ended(&mut bench), (key, libc::EMFILE));
    assert!(bench.engine.next().is_none());
    assert_eq!(bench.engine.strays().late, 1);
    assert_eq!(bench.engine.in_flight(), 0);
}

/// Whose number it is cannot be known: it is somebody's here.
#[test]
fn a_number_in_a_stray_completion_is_not_closed() {
    let (mut bench, _) = accepting();
    let (ours, mut far) = connection();
    let number = ours.as_raw_fd();
    let notification = Completion {
        user_data: bench.kernel().pushed[0].user_data,
        result: number,
        more: true,
        notification: true,
        ..Completion::default()
    };
    bench.kernel().posted.push_back(notification);
    let (near, _peer) = connection();
    bench.kernel().accepted(0, near, false);
    // It has ended, and is not queued again yet.
    bench.kernel().result(0, number, true);
    accepted(&mut bench);
    assert!(bench.engine.next().is_none());
    assert_eq!(bench.engine.strays().duplicate, 2);
    bench.engine.enter(None).unwrap();
    bench.kernel().result(1, -libc::EMFILE, false);
    bench.kernel().result(1, number, true);
    bench.kernel().posted.push_back(Completion {
        user_data: u64::MAX - 1,
        result: number,
        ..Completion::default()
    });
    ended(&mut bench);
    assert!(bench.engine.next().is_none());
    let strays = bench.engine.strays();
    assert_eq!((strays.late, strays.unknown), (1, 1));
    far.set_nonblocking(true).unwrap();
    let open = far.read(&mut [0]).unwrap_err();
    assert_eq!(open.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn an_accept_waits_while_the_kernel_takes_no_requests() {
    let (mut bench, key) = accepting();
    let (near, _far) = connection();
    bench.kernel().accepted(0, near, false);
    accepted(&mut bench);
    bench.kernel().room = 0;
    bench.kernel().queued = 0;
    let busy = io::Error::from_raw_os_error(libc::EBUSY);
    bench.kernel().enter_results.push_back(Err(busy));
    let error = bench.engine.enter(None).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
    bench.kernel().room = 4;
    bench.engine.enter(None).unwrap();
    assert_eq!(bench.kernel().pushed[1].user_data, key.to_bits());
}

#[test]
fn an_accept_that_cannot_be_queued_again_ends_with_the_reason() {
    let (mut bench, key) = accepting();
    let (near, _far) = connection();
    bench.kernel().accepted(0, near, false);
    accepted(&mut bench);
    bench.kernel().room = 0;
    bench.kernel().queued = 0;
    let gone = io::Error::from_raw_os_error(libc::EEXIST);
    bench.kernel().enter_results.push_back(Err(gone));
    bench.engine.enter(Some(Wait::Forever)).unwrap();
    assert_eq!(
        bench.kernel().entered.last(),
        Some(&None),
        "there is something to tell"
    );
    assert_eq!(ended(&mut bench), (key, libc::EEXIST));
    assert_eq!(bench.engine.in_flight(), 0);
}

#[test]
fn an_accept_whose_listener_was_removed_is_not_queued_again() {
    let (mut bench, key) = accepting();
    assert!(bench.engine.remove(bench.socket).unwrap().is_some());
    let (near, _far) = connection();
    bench.kernel().accepted(0, near, false);
    accepted(&mut bench);
    bench.engine.enter(None).unwrap();
    assert_eq!(ended(&mut bench), (key, libc::ECANCELED));
}

#[test]
fn an_accept_the_kernel_does_not_have_is_cancelled_at_once() {
    let (mut bench, key) = accepting();
    let (near, _far) = connection();
    bench.kernel().accepted(0, near, false);
    accepted(&mut bench);
    bench.engine.cancel(key).unwrap();
    assert_eq!(ended(&mut bench), (key, libc::ECANCELED));
    bench.engine.enter(None).unwrap();
    assert_eq!(bench.kernel().pushed.len(), 1, "nothing was asked for");
}

#[test]
fn dropping_closes_what_was_accepted_and_asks_for_no_more() {
    let (mut bench, _) = accepting();
    let (near, mut far) = connection();
    bench.kernel().accepted(0, near, false);
    drop(bench);
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
}

/// The kernel takes connections on a thread of its own as fast as they are closed here.
#[test]
fn dropping_ends_while_connections_come_in_without_end() {
    let (mut bench, _) = accepting();
    let (near, _far) = connection();
    let request = bench.kernel().pushed[0];
    bench.kernel().accepts = Some((request, near));
    drop(bench);
}
