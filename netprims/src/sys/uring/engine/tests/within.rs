//! Sends with a limit on time.

use rstest::rstest;

use super::*;
use crate::sys::uring::kernel::Operation;

const SECOND: Duration = Duration::from_secs(1);

impl Bench {
    fn send_within(&mut self, wish: Wish) -> Key {
        let slot = self.pool.take().unwrap();
        let sent = self.engine.send_within(self.socket, slot, wish, SECOND);
        sent.map_err(|_| ()).unwrap()
    }
}

#[derive(Clone, Copy, Debug)]
enum Post {
    Result,
    Limit,
    Notification,
}

use Post::{Limit, Notification, Result as Answer};

/// Whatever the order, the buffer comes back when the kernel has finished, after the result.
#[rstest]
#[case::in_time([Answer, Limit, Notification], 100, -libc::ECANCELED, Ok(100))]
#[case::the_limit_last([Answer, Notification, Limit], 100, -libc::ECANCELED, Ok(100))]
#[case::too_late([Limit, Answer, Notification], -libc::ECANCELED, -libc::ETIME, Err(libc::ETIMEDOUT))]
#[case::too_late_as_told_last([Answer, Notification, Limit], -libc::ECANCELED, -libc::ETIME, Err(libc::ETIMEDOUT))]
#[case::not_caught([Limit, Answer, Notification], -libc::ECANCELED, -libc::EALREADY, Err(libc::ETIMEDOUT))]
#[case::a_part_was_taken([Limit, Answer, Notification], 60, -libc::ETIME, Ok(60))]
#[case::done_as_the_time_was_up([Answer, Limit, Notification], 100, -libc::ENOENT, Ok(100))]
#[case::failed_otherwise([Answer, Limit, Notification], -libc::EPIPE, -libc::ECANCELED, Err(libc::EPIPE))]
#[case::cancelled_by_the_user([Answer, Limit, Notification], -libc::ECANCELED, -libc::ECANCELED, Err(libc::ECANCELED))]
fn a_limited_send_is_told_once_both_have_completed(
    #[case] order: [Post; 3],
    #[case] result: i32,
    #[case] limit: i32,
    #[case] want: Result<u32, i32>,
) {
    let mut bench = bench(4);
    let key = bench.send_within(Wish::ZeroCopy);
    let operation = bench.kernel().pushed[1].operation;
    assert!(matches!(operation, Operation::Limit { .. }));
    let mut told = Vec::new();
    let mut seen = Vec::new();
    for post in order {
        match post {
            Answer => bench.kernel().result(0, result, true),
            Limit => bench.kernel().result(1, limit, false),
            Notification => bench.kernel().notify(0, 0),
        }
        seen.push(post);
        while let Some(outcome) = bench.engine.next() {
            match outcome {
                Outcome::Sent { key: of, result } => told.push((of, Some(result))),
                Outcome::Released { key: of, .. } => {
                    assert_eq!(seen.len(), 3, "released after {seen:?}");
                    told.push((of, None));
                }
                _ => panic!("something else"),
            }
        }
        let is_in_kernel = bench.engine.in_kernel() > 0;
        assert_eq!(is_in_kernel, seen.len() < 3, "after {seen:?}");
    }
    assert_eq!(told, [(key, Some(want)), (key, None)]);
    assert_eq!(bench.free_slots(), 4);
    assert_eq!(bench.engine.strays(), Strays::default());
}

#[test]
fn late_and_repeated_completions_of_a_limit_change_nothing() {
    let mut bench = bench(4);
    let key = bench.send_within(Wish::Plain);
    bench.kernel().result(1, -libc::ETIME, true);
    bench.kernel().notify(1, 0);
    bench.kernel().result(1, -libc::ECANCELED, false);
    bench.kernel().result(1, -libc::ETIME, false);
    bench.kernel().result(0, 100, false);
    bench.kernel().result(1, -libc::ETIME, false);
    assert_eq!(bench.sent(), (key, Ok(100)));
    assert_eq!(bench.released(), (key, 100, Usage::Copied));
    assert!(bench.engine.next().is_none());
    let strays = bench.engine.strays();
    assert_eq!((strays.duplicate, strays.late, strays.unknown), (3, 1, 0));
}

#[rstest]
#[case::its_limit_is_over(true)]
#[case::its_limit_is_running(false)]
fn what_is_refused_without_copying_is_sent_again_with_a_new_limit(#[case] limit_first: bool) {
    let mut bench = bench(4);
    let key = bench.send_within(Wish::ZeroCopy);
    if limit_first {
        bench.kernel().result(1, -libc::ECANCELED, false);
    }
    bench.kernel().result(0, -libc::EOPNOTSUPP, false);
    assert!(bench.engine.next().is_none());
    if !limit_first {
        // The next limit has the same name: it must not be queued before this one is over.
        assert_eq!(bench.kernel().pushed.len(), 2);
        bench.kernel().result(1, -libc::ECANCELED, false);
        assert!(bench.engine.next().is_none());
    }
    let operations: Vec<_> = bench.kernel().pushed[2..]
        .iter()
        .map(|request| request.operation)
        .collect();
    let is_plain = |operation: &Operation| {
        matches!(
            operation,
            Operation::Send {
                zero_copy: false,
                ..
            }
        )
    };
    assert!(is_plain(&operations[0]) && matches!(operations[1], Operation::Limit { .. }));
    bench.kernel().result(2, -libc::ECANCELED, false);
    bench.kernel().result(3, -libc::ETIME, false);
    assert_eq!(bench.sent(), (key, Err(libc::ETIMEDOUT)));
    assert_eq!(bench.released(), (key, 0, Usage::NotSent));
}

#[test]
fn what_is_refused_as_its_time_is_up_is_not_sent_again() {
    let mut bench = bench(4);
    let key = bench.send_within(Wish::ZeroCopy);
    bench.kernel().result(0, -libc::EOPNOTSUPP, true);
    bench.kernel().result(1, -libc::ENOENT, false);
    assert_eq!(bench.sent(), (key, Err(libc::ETIMEDOUT)));
    assert_eq!(bench.kernel().pushed.len(), 2);
    assert!(bench.engine.next().is_none(), "its notification is to come");
    bench.kernel().notify(0, COPIED);
    assert_eq!(bench.released(), (key, 0, Usage::NotSent));
}

#[test]
fn a_limited_send_that_cannot_be_queued_gives_the_slot_back() {
    let mut bench = bench(4);
    bench.kernel().room = 1;
    let slot = bench.pool.take().unwrap();
    let sent = bench
        .engine
        .send_within(bench.socket, slot, Wish::Plain, SECOND);
    let Err((slot, NotQueued::Full)) = sent else {
        panic!("sent")
    };
    drop(slot);
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 4));
    assert_eq!(bench.kernel().pushed.len(), 0, "both or neither");
}

#[test]
fn a_time_the_kernel_may_read_is_leaked_and_counted() {
    let mut bench = bench(4);
    bench.send_within(Wish::Plain);
    bench.kernel().result(0, 100, false);
    let before = leaked_bytes();
    drop(bench);
    let size = u64::try_from(4 * size_of::<io_uring::types::Timespec>()).unwrap();
    assert!(leaked_bytes() - before >= size);
}

#[test]
fn a_send_told_before_its_limit_is_over_is_noticed() {
    let is_told = || {
        let mut bench = bench(4);
        bench.send_within(Wish::Plain);
        bench.kernel().result(0, 100, false);
        bench.engine.next().is_some()
    };
    assert!(!defect::with(None, is_told));
    assert!(defect::with(Some(Defect::TellBeforeTheLimit), is_told));
}
