//! Connects, their limits, and times.

use std::net::SocketAddr;

use super::super::super::kernel::Operation;
use super::*;

fn address() -> SocketAddr {
    "127.0.0.1:1".parse().unwrap()
}

const LIMIT: Option<Duration> = Some(Duration::from_secs(1));

fn connecting(within: Option<Duration>) -> (Bench, Key) {
    let mut bench = bench(4);
    let connected = bench.engine.connect(bench.socket, address().into(), within);
    (bench, connected.unwrap())
}

fn connected(bench: &mut Bench) -> Option<(Key, Result<(), i32>)> {
    match bench.engine.next() {
        Some(Outcome::Connected { key, result }) => Some((key, result)),
        Some(_) => panic!("something else"),
        None => None,
    }
}

#[test]
fn the_result_waits_for_the_limit_in_either_order() {
    for limit_first in [false, true] {
        let (mut bench, key) = connecting(LIMIT);
        let mut posts = [(0, -libc::ECANCELED), (1, -libc::ETIME)];
        if limit_first {
            posts.reverse();
        }
        bench.kernel().result(posts[0].0, posts[0].1, false);
        assert_eq!(connected(&mut bench), None);
        assert_eq!(bench.engine.in_flight(), 1);
        bench.kernel().result(posts[1].0, posts[1].1, false);
        assert_eq!(connected(&mut bench), Some((key, Err(libc::ETIMEDOUT))));
        assert_eq!(bench.engine.in_flight(), 0);
    }
}

#[test]
fn repeated_and_misplaced_completions_change_nothing() {
    let (mut bench, key) = connecting(LIMIT);
    bench.kernel().result(0, 0, true);
    bench.kernel().result(0, 0, false);
    bench.kernel().result(0, -libc::EPIPE, false);
    bench.kernel().notify(1, 0);
    bench.kernel().result(1, -libc::ECANCELED, false);
    bench.kernel().result(1, -libc::ETIME, false);
    assert_eq!(connected(&mut bench), Some((key, Ok(()))));
    assert_eq!(connected(&mut bench), None);
    let strays = bench.engine.strays();
    assert_eq!((strays.duplicate, strays.late, strays.unknown), (3, 1, 0));
}

#[test]
fn a_limit_nobody_set_is_a_stray() {
    let (mut bench, key) = connecting(None);
    let limit = Completion {
        user_data: key.to_limit_bits(),
        result: -libc::ETIME,
        ..Completion::default()
    };
    bench.kernel().posted.push_back(limit);
    assert_eq!(connected(&mut bench), None);
    bench.kernel().result(0, -libc::ECANCELED, false);
    assert_eq!(connected(&mut bench), Some((key, Err(libc::ECANCELED))));
    let sent = bench.send();
    let shutdown = bench.engine.shutdown(bench.socket, 0).unwrap();
    for request in [sent, shutdown] {
        bench.kernel().posted.push_back(Completion {
            user_data: request.to_limit_bits(),
            ..limit
        });
    }
    assert!(bench.engine.next().is_none());
    let strays = bench.engine.strays();
    assert_eq!((strays.duplicate, strays.unknown), (2, 1));
    bench.kernel().result(1, 100, false);
    bench.kernel().result(2, 0, false);
}

#[test]
fn a_request_and_its_limit_are_queued_both_or_neither() {
    let mut bench = bench(4);
    bench.kernel().room = 3;
    bench.send();
    bench.send();
    bench
        .engine
        .connect(bench.socket, address().into(), LIMIT)
        .unwrap();
    assert_eq!(bench.kernel().entered, [None], "room for one is none");
    let last = bench.kernel().pushed.len() - 1;
    let operation = bench.kernel().pushed[last].operation;
    assert!(matches!(operation, Operation::Limit { .. }));
    bench.kernel().room = 1;
    bench.kernel().queued = 0;
    let refused = bench.engine.connect(bench.socket, address().into(), LIMIT);
    assert!(matches!(refused, Err(NotQueued::Full)));
    assert_eq!(bench.kernel().pushed.len() - 1, last);
    assert_eq!(bench.engine.in_flight(), 3);
    bench.kernel().result(0, 100, false);
    bench.kernel().result(1, 100, false);
}

/// The address a request points to.
fn pointed(bench: &mut Bench, nth: usize) -> *const socket2::SockAddrStorage {
    match bench.kernel().pushed[nth].operation {
        Operation::Connect { address, .. } => address,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_connect_in_flight_has_its_own_place() {
    let (mut bench, _) = connecting(None);
    let other = bench.engine.connect(bench.socket, address().into(), None);
    assert!(other.is_ok());
    let places = [pointed(&mut bench, 0), pointed(&mut bench, 1)];
    assert_ne!(places[0], places[1]);
    bench.kernel().result(0, 0, false);
    assert!(connected(&mut bench).is_some());
    let third = bench.engine.connect(bench.socket, address().into(), None);
    assert!(third.is_ok());
    assert_eq!(pointed(&mut bench, 2), places[0], "it is free again");
}

#[test]
fn addresses_the_kernel_may_read_are_leaked_and_counted() {
    let size = u64::try_from(4 * size_of::<socket2::SockAddrStorage>()).unwrap();
    let (bench, _) = connecting(None);
    let before = leaked_bytes();
    drop(bench);
    assert!(leaked_bytes() - before >= size);
}

#[test]
fn a_socket_the_table_does_not_take_is_named_by_number() {
    use super::super::super::kernel::Target;

    let mut bench = bench(4);
    bench.engine.register_files(1).unwrap();
    let refused = io::Error::from_raw_os_error(libc::EBADF);
    bench.kernel().file_results.push_back(Err(refused));
    let pair = || OwnedFd::from(UnixStream::pair().unwrap().0);
    let keys = [(); 3].map(|()| bench.engine.add(pair()).unwrap());
    let registered = keys.map(|key| bench.engine.is_registered(key).unwrap());
    assert_eq!(registered, [false, true, false]);
    bench.engine.shutdown(keys[1], 0).unwrap();
    assert_eq!(bench.kernel().pushed[0].target, Target::Registered(0));
    bench.engine.remove(keys[1]).unwrap();
    assert_eq!(bench.kernel().queued, 0, "it was handed over before");
    assert_eq!(bench.kernel().files.last(), Some(&(0, None)));
    let again = bench.engine.add(pair()).unwrap();
    assert_eq!(bench.engine.is_registered(again), Some(true));
    // A place that cannot be cleared is not used again.
    let refused = io::Error::from_raw_os_error(libc::EBADF);
    bench.kernel().file_results.push_back(Err(refused));
    bench.engine.remove(again).unwrap();
    let last = bench.engine.add(pair()).unwrap();
    assert_eq!(bench.engine.is_registered(last), Some(false));
    bench.kernel().result(0, 0, false);
}

#[test]
fn a_timeout_is_told_once_and_as_what_it_was() {
    let mut bench = bench(4);
    let table = [
        (-libc::ETIME, Ok(())),
        (-libc::ECANCELED, Err(libc::ECANCELED)),
    ];
    for (nth, (result, want)) in table.into_iter().enumerate() {
        let key = bench.engine.timeout(Duration::MAX).unwrap();
        bench.kernel().result(nth, result, true);
        bench.kernel().result(nth, result, false);
        bench.kernel().result(nth, result, false);
        match bench.engine.next() {
            Some(Outcome::TimedOut { key: told, result }) => {
                assert_eq!((told, result), (key, want));
            }
            _ => panic!("something else"),
        }
        assert!(bench.engine.next().is_none());
    }
    let strays = bench.engine.strays();
    assert_eq!((strays.duplicate, strays.late), (2, 2));
}
