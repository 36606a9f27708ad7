//! Receives that are given up when nothing comes, and their clocks.

use super::*;
use crate::sys::uring::kernel::Operation;

const SECOND: Duration = Duration::from_secs(1);

/// Beside the receive of a bench another one with a clock: requests 1 and 2.
fn idling(slots: u32) -> (Bench, Key) {
    let (mut bench, _) = bench(slots, SINGLE);
    let near = UnixStream::pair().unwrap().0;
    let socket = bench.engine.add(near.into()).unwrap();
    let key = bench
        .engine
        .receive_until_idle(socket, &bench.handle, SECOND);
    bench.enter();
    assert_eq!((bench.pushed(), bench.engine.in_flight()), (3, 2));
    let clock = bench.kernel().pushed[2].operation;
    assert!(matches!(clock, Operation::Timeout { .. }), "{clock:?}");
    (bench, key.unwrap())
}

impl Bench {
    /// The clock that was queued last runs out; it is queued anew.
    fn look(&mut self) {
        let last = self.pushed() - 1;
        self.kernel().result(last, -libc::ETIME, false);
        assert_eq!(self.all(), []);
        self.enter();
    }

    /// What the request that was queued last cancels.
    fn cancels(&mut self) -> Option<u64> {
        match self.kernel().pushed.last()?.operation {
            Operation::Cancel { user_data } => Some(user_data),
            _ => None,
        }
    }
}

#[test]
fn four_looks_without_anything_end_it() {
    let (mut bench, key) = idling(2);
    for looks in 1..=4 {
        assert_eq!(bench.cancels(), None, "after {looks} looks");
        bench.look();
    }
    assert_eq!(bench.cancels(), Some(key.to_bits()));
    bench.kernel().result(1, -libc::ECANCELED, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Idle)]);
    assert_eq!(bench.engine.in_flight(), 1, "the other one goes on");
    assert_eq!(bench.engine.flights.len(), 1);
    assert_eq!(bench.duplicates(), 0);
}

#[rstest]
#[case::a_chunk(7, Some(0), true)]
#[case::a_request_that_ended(-libc::EINTR, None, false)]
fn what_comes_sets_the_clock_back(
    #[case] result: i32,
    #[case] buffer: Option<u16>,
    #[case] more: bool,
) {
    let (mut bench, key) = idling(2);
    (0..3).for_each(|_| bench.look());
    let clock = bench.pushed() - 1;
    match buffer {
        Some(buffer) => bench.kernel().fill(1, result, buffer, more),
        None => bench.kernel().result(1, result, more),
    }
    let told = bench.all();
    assert_eq!(told.len(), usize::from(buffer.is_some()));
    bench.kernel().result(clock, -libc::ETIME, false);
    assert_eq!(bench.all(), []);
    bench.enter();
    // The receive, where it had to be queued anew, came before its clock.
    for looks in 1..=4 {
        assert_eq!(bench.cancels(), None, "after {looks} looks");
        bench.look();
    }
    assert_eq!(bench.cancels(), Some(key.to_bits()));
    let receive = if more { 1 } else { clock + 1 };
    bench.kernel().result(receive, -libc::ECANCELED, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Idle)]);
}

#[test]
fn silence_while_it_waits_for_memory_does_not_count() {
    let (mut bench, key) = idling(1);
    bench.kernel().fill(0, 7, 0, true);
    assert!(bench.next().is_some());
    let kept = bench.detach();
    bench.kernel().result(1, -libc::ENOBUFS, false);
    assert_eq!(bench.all(), []);
    for _ in 0..8 {
        bench.look();
        assert_eq!(bench.cancels(), None);
    }
    bench.engine.cancel(key).unwrap();
    assert_eq!(bench.all(), [Seen::End(key, End::Cancelled)]);
    drop(kept);
}

#[rstest]
#[case::queued(true)]
#[case::about_to_be(false)]
fn a_clock_ends_with_its_receive(#[case] is_queued: bool) {
    let (mut bench, key) = idling(2);
    let clock = bench.kernel().pushed[2].user_data;
    if !is_queued {
        bench.kernel().result(2, -libc::ETIME, false);
    }
    bench.kernel().result(1, 0, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Closed)]);
    bench.enter();
    if is_queued {
        assert_eq!(bench.cancels(), Some(clock));
        assert_eq!(
            (bench.engine.flights.len(), bench.engine.in_flight()),
            (2, 1)
        );
        bench.kernel().result(2, -libc::ECANCELED, false);
        assert_eq!(bench.all(), []);
    }
    assert_eq!(
        (bench.engine.flights.len(), bench.engine.in_flight()),
        (1, 1)
    );
    assert_eq!(bench.duplicates(), 0);
    let looks = bench.kernel().pushed[3..].iter();
    let mut looks = looks.filter(|request| matches!(request.operation, Operation::Timeout { .. }));
    assert!(looks.next().is_none());
}

#[test]
fn late_and_repeated_looks_change_nothing() {
    let (mut bench, key) = idling(2);
    bench.kernel().result(2, -libc::ETIME, true);
    bench.kernel().notify(2, 0);
    bench.kernel().result(2, -libc::ETIME, false);
    bench.kernel().result(2, -libc::ETIME, false);
    assert_eq!(bench.all(), []);
    assert_eq!(bench.duplicates(), 3);
    bench.enter();
    (0..3).for_each(|_| bench.look());
    assert_eq!(bench.cancels(), Some(key.to_bits()));
    bench.kernel().result(1, -libc::ECANCELED, false);
    bench.kernel().result(2, -libc::ETIME, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Idle)]);
}

#[test]
fn a_clock_waits_until_the_kernel_takes_it_again() {
    let (mut bench, _) = idling(2);
    bench.kernel().result(2, -libc::ETIME, false);
    assert_eq!(bench.all(), []);
    bench.kernel().room = 0;
    let busy = bench.engine.enter(None).unwrap_err();
    assert_eq!(busy.raw_os_error(), Some(libc::EBUSY));
    bench.kernel().room = 64;
    bench.enter();
    assert_eq!(bench.pushed(), 4);
    bench.enter();
    assert_eq!(bench.pushed(), 4, "it is queued once");
}

#[test]
fn a_receive_and_its_clock_are_had_both_or_neither() {
    let (mut bench, _) = bench(1, SINGLE);
    for _ in 0..6 {
        bench.engine.timeout(SECOND).unwrap();
    }
    let near = UnixStream::pair().unwrap().0;
    let socket = bench.engine.add(near.into()).unwrap();
    let refused = bench
        .engine
        .receive_until_idle(socket, &bench.handle, SECOND);
    assert!(matches!(refused, Err(NotQueued::Full)));
    assert_eq!(bench.engine.in_flight(), 7);
    assert!(bench.engine.receive(socket, &bench.handle).is_ok());
}

#[test]
fn a_clock_freed_while_the_kernel_reads_it_is_noticed() {
    let is_kept = || {
        let (mut bench, _) = idling(2);
        bench.kernel().result(1, 0, false);
        bench.all();
        bench.engine.flights.len() == 2
    };
    assert!(defect::with(None, is_kept));
    assert!(!defect::with(Some(Defect::FreeTheClock), is_kept));
}
