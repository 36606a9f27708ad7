//! Cancelling what the kernel has ended already, with a completion that was not looked at: the engine would queue it again,
//! behind the request to cancel it.

use std::os::fd::OwnedFd;

use rstest::rstest;

use super::*;
use crate::sys::uring::kernel::Operation;

type Cancel = fn(&mut Bench, Key);

fn one(bench: &mut Bench, key: Key) {
    bench.engine.cancel(key).unwrap();
}

fn all_of_the_socket(bench: &mut Bench, _: Key) {
    bench.engine.cancel_all(bench.socket).unwrap();
}

fn what_is_told(bench: &mut Bench) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(outcome) = bench.engine.next() {
        told.push(match outcome {
            Outcome::Accepted { .. } => "accepted".to_owned(),
            Outcome::AcceptEnded { errno, .. } => format!("ended {errno}"),
            Outcome::Sent { result, .. } => format!("sent {result:?}"),
            Outcome::Released { released, .. } => format!("released {:?}", released.usage),
            _ => panic!("something else"),
        });
    }
    told
}

/// Requests that do something, of those the kernel was given.
fn queued(bench: &mut Bench) -> usize {
    bench.engine.enter(None).unwrap();
    let pushed = bench.kernel().pushed.iter();
    let cancels = |request: &&Request| {
        matches!(
            request.operation,
            Operation::Cancel { .. } | Operation::CancelAll
        )
    };
    pushed.filter(|request| !cancels(request)).count()
}

#[rstest]
fn an_accept_the_kernel_has_ended_is_not_queued_behind_its_cancel(
    #[values(one, all_of_the_socket)] cancel: Cancel,
    #[values(false, true)] is_aborted: bool,
) {
    let mut bench = bench(4);
    let key = bench.engine.accept(bench.socket).unwrap();
    if is_aborted {
        bench.kernel().result(0, -libc::ECONNABORTED, false);
    } else {
        let near = OwnedFd::from(UnixStream::pair().unwrap().0);
        bench.kernel().accepted(0, near, false);
    }
    cancel(&mut bench, key);
    let ended = format!("ended {}", libc::ECANCELED);
    let want = ["accepted".to_owned(), ended];
    assert_eq!(what_is_told(&mut bench), want[usize::from(is_aborted)..]);
    assert_eq!((queued(&mut bench), bench.engine.in_flight()), (1, 0));
}

#[test]
fn an_accept_goes_on_when_the_kernel_could_not_be_asked() {
    let mut bench = bench(4);
    let key = bench.engine.accept(bench.socket).unwrap();
    bench.kernel().queued = 0;
    bench.kernel().room = 0;
    let error = io::Error::from_raw_os_error(libc::EBUSY);
    bench.kernel().enter_results.push_back(Err(error));
    assert!(bench.engine.cancel(key).is_err());
    bench.kernel().room = 4;
    bench.kernel().result(0, -libc::ECONNABORTED, false);
    assert_eq!(what_is_told(&mut bench), [""; 0]);
    assert_eq!(queued(&mut bench), 2);
}

#[rstest]
fn a_refused_send_is_not_queued_behind_its_cancel(
    #[values(one, all_of_the_socket)] cancel: Cancel,
    #[values(false, true)] is_stream: bool,
) {
    let socket: OwnedFd = match is_stream {
        true => UnixStream::pair().unwrap().0.into(),
        false => datagrams(),
    };
    let mut bench = bench_of(socket, 4, 4);
    let key = bench.send();
    bench.kernel().result(0, -libc::EOPNOTSUPP, true);
    bench.kernel().notify(0, COPIED);
    cancel(&mut bench, key);
    let cancelled = format!("sent Err({})", libc::ECANCELED);
    assert_eq!(what_is_told(&mut bench), [&cancelled, "released NotSent"]);
    assert_eq!((queued(&mut bench), bench.free_slots()), (1, 4));
}

#[test]
fn a_message_short_of_memory_is_not_queued_behind_its_cancel() {
    let mut bench = bench(4);
    let slots = [(); 2].map(|()| bench.pool.take().unwrap());
    let (socket, wish) = (bench.socket, Wish::ZeroCopy);
    let put = bench.engine.put_together(socket, slots.into_iter(), wish);
    let key = put.unwrap();
    bench.engine.start_message(key, socket, drop).unwrap();
    bench.kernel().result(0, -libc::ENOMEM, false);
    one(&mut bench, key);
    let cancelled = format!("sent Err({})", libc::ECANCELED);
    let want = [&cancelled, "released NotSent", "released NotSent"];
    assert_eq!(what_is_told(&mut bench), want);
    assert_eq!((queued(&mut bench), bench.free_slots()), (1, 4));
}

/// Answers the last asking.
fn answer_the_asking(bench: &mut Bench, result: i32) {
    let last = bench.kernel().pushed.len() - 1;
    bench.kernel().result(last, result, false);
    assert!(bench.engine.next().is_none());
}

fn is_last_a_cancel(bench: &mut Bench) -> bool {
    let last = bench.kernel().pushed.last().unwrap();
    matches!(last.operation, Operation::Cancel { .. })
}

#[rstest]
#[case::cancelled(-libc::ECANCELED)]
#[case::interrupted(-libc::EINTR)]
fn a_send_the_kernel_did_not_find_is_asked_for_again(#[case] result: i32) {
    let mut bench = bench(4);
    let key = bench.send();
    bench.engine.enter(None).unwrap();
    bench.engine.cancel(key).unwrap();
    for _ in 0..3 {
        answer_the_asking(&mut bench, -libc::ENOENT);
        assert!(bench.engine.is_work_left());
        let before = bench.kernel().pushed.len();
        bench.engine.enter(None).unwrap();
        assert_eq!(bench.kernel().pushed.len(), before + 1);
        assert!(is_last_a_cancel(&mut bench));
    }
    answer_the_asking(&mut bench, 0);
    bench.engine.enter(None).unwrap();
    bench.kernel().result(0, result, false);
    assert_eq!(bench.sent(), (key, Err(libc::ECANCELED)));
    bench.released();
    let before = bench.kernel().pushed.len();
    bench.engine.enter(None).unwrap();
    assert_eq!(
        (bench.kernel().pushed.len(), bench.engine.in_flight()),
        (before, 0)
    );
}

#[test]
fn a_send_that_was_not_found_because_it_had_ended_is_not_asked_for_again() {
    let mut bench = bench(4);
    let key = bench.send();
    bench.engine.enter(None).unwrap();
    bench.engine.cancel(key).unwrap();
    answer_the_asking(&mut bench, -libc::ENOENT);
    bench.kernel().result(0, 100, false);
    assert_eq!(bench.sent(), (key, Ok(100)));
    let before = bench.kernel().pushed.len();
    bench.engine.enter(None).unwrap();
    assert_eq!(bench.kernel().pushed.len(), before);
}
