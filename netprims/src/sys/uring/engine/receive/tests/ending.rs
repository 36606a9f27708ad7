//! What ends a receive early: cancelling it, and taking its socket.

use super::*;

#[test]
fn an_end_is_told_without_waiting() {
    let (mut bench, _) = bench(1, SINGLE);
    let near = UnixStream::pair().unwrap().0;
    let socket = bench.engine.add(near.into()).unwrap();
    let key = bench.engine.receive(socket, &bench.handle).unwrap();
    bench.engine.cancel(key).unwrap();
    bench.engine.enter(Some(Wait::Forever)).unwrap();
    assert_eq!(bench.kernel().entered.last(), Some(&None));
    assert_eq!(bench.all(), [Seen::End(key, End::Cancelled)]);
}

#[test]
fn cancelling_what_the_kernel_does_not_have_ends_it_at_once() {
    let (mut bench, key) = bench(1, SINGLE);
    bench.kernel().result(0, -libc::ENOBUFS, false);
    assert_eq!(bench.all(), []);
    bench.engine.cancel(key).unwrap();
    // Asked twice, ended once.
    bench.engine.cancel(key).unwrap();
    assert_eq!(bench.all(), [Seen::End(key, End::Cancelled)]);
    assert_eq!(bench.pushed(), 1);
    assert!(bench.engine.receive(bench.socket, &bench.handle).is_ok());
}

#[test]
fn cancelling_that_is_not_queued_changes_nothing() {
    let (mut bench, key) = bench(4, SINGLE);
    bench.kernel().room = 0;
    assert!(matches!(bench.engine.cancel(key), Err(NotQueued::Full)));
    bench.kernel().fill(0, 10, 0, false);
    assert_eq!(bench.all(), [Seen::Chunk(key, 10)]);
    bench.kernel().room = 64;
    bench.enter();
    assert_eq!(bench.pushed(), 2, "it goes on");
    // A receive that must not go on is cancelled as soon as that can be.
    bench.kernel().room = 0;
    bench.kernel().fill(1, 10, 9, true);
    assert_eq!(bench.all(), []);
    bench.kernel().room = 64;
    bench.kernel().fill(1, 10, 1, true);
    assert_eq!(bench.all(), []);
    let last = bench.kernel().pushed.last().unwrap().operation;
    assert!(matches!(last, Operation::Cancel { .. }), "{last:?}");
    assert_eq!(bench.lost(), 0);
}

#[test]
fn what_comes_before_the_cancelling_is_told() {
    let (mut bench, key) = bench(2, SINGLE);
    bench.engine.cancel(key).unwrap();
    bench.kernel().fill(0, 10, 0, true);
    bench.kernel().fill(0, 20, 1, false);
    let end = Seen::End(key, End::Cancelled);
    assert_eq!(
        bench.all(),
        [Seen::Chunk(key, 10), Seen::Chunk(key, 20), end]
    );
    bench.enter();
    assert_eq!(bench.pushed(), 2, "the receive and the cancelling");
}

#[test]
fn a_removed_socket_is_not_received_from_again() {
    let (mut bench, key) = bench(2, SINGLE);
    assert!(bench.engine.remove(bench.socket).unwrap().is_some());
    bench.kernel().fill(0, 10, 0, false);
    let end = Seen::End(key, End::Cancelled);
    assert_eq!(bench.all(), [Seen::Chunk(key, 10), end]);
    assert_eq!(bench.engine.in_flight(), 0);
}
