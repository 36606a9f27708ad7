//! The order of a stream's sends.

use rstest::rstest;

use super::*;
use crate::sys::uring::kernel::Operation;

mod choice;
mod message;

const CANCELED: Result<u32, i32> = Err(libc::ECANCELED);

fn stream(in_flight: u32) -> Bench {
    bench_of(UnixStream::pair().unwrap().0.into(), in_flight, in_flight)
}

impl Bench {
    fn send_as(&mut self, wish: Wish) -> Key {
        let slot = self.pool.take().unwrap();
        let sent = self.engine.send(self.socket, slot, wish);
        sent.map_err(|_| ()).unwrap()
    }

    fn plainly<const N: usize>(&mut self) -> [Key; N] {
        [(); N].map(|()| self.send_as(Wish::Plain))
    }

    fn message(&mut self, lens: &[usize], wish: Wish) -> Result<Key, NotQueued> {
        let slots: Vec<_> = lens
            .iter()
            .map(|len| {
                let mut slot = self.pool.take().unwrap();
                assert!(slot.set_len(*len));
                slot
            })
            .collect();
        self.engine.check_message(self.socket, slots.iter())?;
        let key = self
            .engine
            .put_together(self.socket, slots.into_iter(), wish)
            .unwrap();
        let mut back = Vec::new();
        let started = self
            .engine
            .start_message(key, self.socket, |slot| back.push(slot.bytes().len()));
        assert_eq!(back, if started.is_ok() { &[][..] } else { lens });
        started.map(|()| key)
    }

    /// What is told: of each send what it came to, with its releases counted.
    fn told(&mut self) -> Vec<(Key, Result<u32, i32>)> {
        let (mut results, mut releases) = (Vec::new(), 0);
        while let Some(outcome) = self.engine.next() {
            match outcome {
                Outcome::Sent { key, result } => results.push((key, result)),
                Outcome::Released { .. } => releases += 1,
                _ => panic!("something else"),
            }
        }
        assert!(releases >= results.len());
        results
    }

    /// The requests since the `nth`: whose they are, and how many sends' bytes they name.
    fn requests(&mut self, since: usize) -> Vec<(u64, usize)> {
        self.engine.enter(None).unwrap();
        let kernel = self.kernel();
        let messages = kernel
            .pushed
            .iter()
            .filter(|request| matches!(request.operation, Operation::SendMessage { .. }));
        assert_eq!(messages.count(), kernel.messages.len());
        let mut messages = kernel.messages.iter();
        let sizes: Vec<_> = kernel
            .pushed
            .iter()
            .map(|request| match request.operation {
                Operation::SendMessage { .. } => messages.next().unwrap().len(),
                _ => 1,
            })
            .collect();
        let requests = kernel.pushed.iter().zip(sizes).skip(since);
        requests
            .map(|(request, size)| (request.user_data, size))
            .collect()
    }
}

#[test]
fn the_kernel_has_one_request_of_a_stream_at_a_time() {
    let mut bench = stream(4);
    let [first, second] = [Wish::ZeroCopy; 2].map(|wish| bench.send_as(wish));
    assert_eq!(bench.requests(0), [(first.to_bits(), 1)]);
    bench.kernel().result(0, 100, true);
    assert_eq!(bench.sent(), (first, Ok(100)));
    // The notification of the first is not waited for.
    assert_eq!(bench.requests(1), [(second.to_bits(), 1)]);
    bench.kernel().result(1, 100, true);
    bench.kernel().notify(1, 0);
    bench.kernel().notify(0, 0);
    assert_eq!(bench.sent(), (second, Ok(100)));
    assert_eq!(bench.released().0, second);
    assert_eq!(bench.released().0, first);
    let third = bench.send_as(Wish::ZeroCopy);
    assert_eq!(
        bench.requests(2),
        [(third.to_bits(), 1)],
        "nothing is underway"
    );
}

#[test]
fn plain_sends_that_have_waited_go_as_one_request() {
    let mut bench = stream(20);
    let keys: [Key; 20] = bench.plainly();
    assert_eq!(bench.requests(0), [(keys[0].to_bits(), 1)]);
    bench.kernel().result(0, 100, false);
    assert_eq!(bench.told(), [(keys[0], Ok(100))]);
    assert_eq!(bench.requests(1), [(keys[1].to_bits(), 16)]);
    bench.kernel().result(1, 1600, false);
    let want: Vec<_> = keys[1..17].iter().map(|key| (*key, Ok(100))).collect();
    assert_eq!(bench.told(), want);
    assert_eq!(bench.requests(2), [(keys[17].to_bits(), 3)]);
    bench.kernel().result(2, 300, false);
    assert_eq!(bench.told().len(), 3);
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 20));
    assert_eq!(bench.engine.totals().copied, 2000);
    assert_eq!(bench.engine.strays(), Strays::default());
}

/// A handler is told of the first of several sends that share a request, when the hole behind it is there already.
#[rstest]
fn nothing_is_sent_behind_a_hole_that_is_not_told_yet(#[values(false, true)] was_told: bool) {
    let mut bench = stream(16);
    let [_, a, b, c] = bench.plainly();
    bench.kernel().result(0, 100, false);
    assert_eq!(bench.told().len(), 1);
    bench.engine.enter(None).unwrap();
    bench.engine.cancel(b).unwrap();
    let pushed = bench.kernel().pushed.len();
    // All of the first, and a part of the second.
    bench.kernel().result(1, 130, false);
    assert_eq!(bench.sent(), (a, Ok(100)));
    assert_eq!(bench.released().0, a);
    if was_told {
        assert_eq!(bench.sent(), (b, Ok(30)));
    }
    let later = bench.send_as(Wish::Plain);
    let told = bench.told();
    let cancelled = Err(libc::ECANCELED);
    if was_told {
        assert_eq!(told, [(c, cancelled)]);
        bench.engine.enter(None).unwrap();
        assert!(
            bench.kernel().pushed.len() > pushed,
            "it was told, and goes on"
        );
        return;
    }
    assert_eq!(told, [(b, Ok(30)), (c, cancelled), (later, cancelled)]);
    bench.engine.enter(None).unwrap();
    let sends = bench.kernel().pushed.iter();
    let sends = sends.skip(pushed).filter(|request| !is_cancel(request));
    assert_eq!(sends.count(), 0);
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 16));
}

fn is_cancel(request: &Request) -> bool {
    matches!(request.operation, Operation::Cancel { .. })
}

#[test]
fn what_is_put_together_is_in_order() {
    let mut bench = stream(8);
    bench.send_as(Wish::Plain);
    let mut want = Vec::new();
    for len in [3, 0, 100, 7] {
        let mut slot = bench.pool.take().unwrap();
        assert!(slot.set_len(len));
        want.push((slot.address().addr(), len));
        let sent = bench.engine.send(bench.socket, slot, Wish::Plain);
        assert!(sent.is_ok());
    }
    bench.kernel().result(0, 100, false);
    assert_eq!(bench.told().len(), 1);
    bench.engine.enter(None).unwrap();
    assert_eq!(bench.kernel().messages, [want]);
    bench.kernel().result(1, 110, false);
    let results: Vec<_> = bench.told().into_iter().map(|told| told.1).collect();
    assert_eq!(results, [Ok(3), Ok(0), Ok(100), Ok(7)]);
}

#[test]
fn zero_copy_sends_are_not_put_together() {
    let mut bench = stream(8);
    let wishes = [
        Wish::Plain,
        Wish::Plain,
        Wish::ZeroCopy,
        Wish::Plain,
        Wish::Plain,
    ];
    let keys = wishes.map(|wish| bench.send_as(wish));
    for (nth, (head, sends)) in [(0, 1), (1, 1), (2, 1), (3, 2)].into_iter().enumerate() {
        assert_eq!(bench.requests(nth), [(keys[head].to_bits(), sends)]);
        let all = i32::try_from(sends * 100).unwrap();
        bench.kernel().result(nth, all, false);
        assert_eq!(bench.told().len(), sends);
    }
}

#[rstest]
#[case::failed(-libc::EPIPE, Err(libc::EPIPE))]
#[case::short(40, Ok(40))]
#[case::nothing(0, Ok(0))]
fn a_hole_in_a_stream_gives_up_what_waits(#[case] result: i32, #[case] told: Result<u32, i32>) {
    let mut bench = stream(4);
    let [first, second, third] = bench.plainly();
    bench.kernel().result(0, result, false);
    assert_eq!(
        bench.told(),
        [(first, told), (second, CANCELED), (third, CANCELED)]
    );
    assert_eq!((bench.requests(1).len(), bench.free_slots()), (0, 4));
    assert_eq!(bench.engine.totals().sends, 3);
    // Who was told goes on as he likes.
    let next = bench.send_as(Wish::Plain);
    assert_eq!(bench.requests(1), [(next.to_bits(), 1)]);
}

#[rstest]
#[case::all_of_two(200, [Ok(100), Ok(100), Ok(100), Ok(100)], 2)]
#[case::a_part_of_the_second(150, [Ok(100), Ok(50), CANCELED, CANCELED], 0)]
#[case::a_part_of_the_first(1, [Ok(1), CANCELED, CANCELED, CANCELED], 0)]
#[case::nothing(0, [Ok(0), CANCELED, CANCELED, CANCELED], 0)]
#[case::an_error(-libc::EPIPE, [Err(libc::EPIPE), CANCELED, CANCELED, CANCELED], 0)]
#[case::more_than_given(500, [Ok(100), Ok(100), Ok(100), Ok(100)], 0)]
fn a_result_is_divided_in_order(
    #[case] result: i32,
    #[case] want: [Result<u32, i32>; 4],
    #[case] sent_again: usize,
) {
    let mut bench = stream(8);
    let [_, a, b, c, d] = bench.plainly();
    bench.kernel().result(0, 100, false);
    bench.told();
    assert_eq!(bench.requests(1), [(a.to_bits(), 4)]);
    bench.kernel().result(1, result, false);
    let mut told = bench.told();
    let again = bench.requests(2);
    assert_eq!(
        again.iter().map(|request| request.1).sum::<usize>(),
        sent_again
    );
    if sent_again > 0 {
        // Nothing is known of those: the stream ends where the last one did.
        assert_eq!(again, [(c.to_bits(), 2)]);
        bench.kernel().result(2, 200, false);
        told.extend(bench.told());
    }
    let want: Vec<_> = [a, b, c, d].into_iter().zip(want).collect();
    assert_eq!((told, bench.free_slots()), (want, 8));
}

#[test]
fn a_send_that_waits_can_be_cancelled() {
    let mut bench = stream(4);
    let [first, second, third] = bench.plainly();
    bench.engine.cancel(second).unwrap();
    assert_eq!(bench.told(), [(second, CANCELED)]);
    assert!(matches!(
        bench.engine.cancel(second),
        Err(NotQueued::UnknownRequest)
    ));
    bench.kernel().result(0, 100, false);
    assert_eq!(bench.told(), [(first, Ok(100))]);
    assert_eq!(
        bench.requests(1),
        [(third.to_bits(), 1)],
        "the kernel was not asked"
    );
    bench.engine.cancel(third).unwrap();
    assert!(matches!(
        bench.kernel().pushed[2].operation,
        Operation::Cancel { user_data } if user_data == third.to_bits()
    ));
}

#[rstest]
#[case::cancelled(-libc::ECANCELED, &[CANCELED], 2)]
#[case::too_late(300, &[Ok(100), Ok(100), Ok(100)], 0)]
#[case::half_way(100, &[Ok(100), CANCELED], 1)]
#[case::in_the_midst(150, &[Ok(100), Ok(50), CANCELED], 0)]
fn a_send_that_goes_along_can_be_cancelled(
    #[case] result: i32,
    #[case] want: &[Result<u32, i32>],
    #[case] sent_again: usize,
) {
    let mut bench = stream(4);
    let [_, a, b, c] = bench.plainly();
    bench.kernel().result(0, 100, false);
    bench.told();
    bench.engine.cancel(b).unwrap();
    // Its request is that of the first.
    assert!(matches!(
        bench.kernel().pushed[2].operation,
        Operation::Cancel { user_data } if user_data == a.to_bits()
    ));
    bench.kernel().result(1, result, false);
    let results: Vec<_> = bench.told().into_iter().map(|told| told.1).collect();
    assert_eq!(results, want);
    let again = bench.requests(3);
    assert_eq!(
        again.iter().map(|request| request.1).sum::<usize>(),
        sent_again
    );
    if sent_again == 2 {
        assert_eq!(again, [(a.to_bits(), 2)]);
        bench.kernel().result(3, 200, false);
        assert_eq!(bench.told(), [(a, Ok(100)), (c, Ok(100))]);
    }
}

#[test]
fn a_send_cancelled_by_the_kernel_leaves_no_hole() {
    let mut bench = stream(4);
    let [first, second] = bench.plainly();
    bench.kernel().result(0, -libc::ECANCELED, false);
    assert_eq!(bench.told(), [(first, CANCELED)]);
    assert_eq!(bench.requests(1), [(second.to_bits(), 1)]);
}

#[test]
fn a_removed_stream_gives_up_what_waits() {
    let mut bench = stream(8);
    let [_, second, third, fourth] = bench.plainly();
    bench.kernel().result(0, 100, false);
    bench.told();
    let late = bench.send_as(Wish::Plain);
    assert!(bench.engine.remove(bench.socket).unwrap().is_some());
    assert_eq!(bench.told(), [(late, CANCELED)]);
    // What the kernel has goes on; a rest of it cannot be sent any more.
    bench.kernel().result(1, 100, false);
    let want = [(second, Ok(100)), (third, CANCELED), (fourth, CANCELED)];
    assert_eq!(bench.told(), want);
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 8));
}

#[test]
fn a_refused_send_keeps_its_place_in_the_stream() {
    let mut bench = stream(4);
    let keys = [Wish::ZeroCopy; 3].map(|wish| bench.send_as(wish));
    bench.kernel().result(0, -libc::EOPNOTSUPP, true);
    assert!(bench.engine.next().is_none());
    assert_eq!(bench.requests(1), [(keys[0].to_bits(), 1)]);
    assert!(!bench.kernel().is_zero_copy(1));
    bench.kernel().result(1, 100, false);
    assert_eq!(bench.sent(), (keys[0], Ok(100)));
    // The others are plain from the start, and go together, although the notification is still to come.
    assert_eq!(bench.requests(2), [(keys[1].to_bits(), 2)]);
    bench.kernel().notify(0, COPIED);
    assert_eq!(bench.released(), (keys[0], 100, Usage::Copied));
    bench.kernel().result(2, 200, false);
    assert_eq!(bench.told().len(), 2);
    assert_eq!(bench.engine.strays(), Strays::default());
}

#[test]
fn whose_turn_it_is_waits_while_the_kernel_takes_no_requests() {
    let mut bench = stream(4);
    let [first, second, third] = bench.plainly();
    bench.engine.enter(None).unwrap();
    bench.kernel().room = 0;
    let busy = || Err(io::Error::from_raw_os_error(libc::EBUSY));
    bench.kernel().enter_results.push_back(busy());
    bench.kernel().result(0, 100, false);
    assert_eq!(bench.told(), [(first, Ok(100))]);
    assert_eq!(bench.kernel().pushed.len(), 1);
    // Cancelled while it is held, it goes out of its request.
    bench.engine.cancel(second).unwrap();
    assert_eq!(bench.told(), [(second, CANCELED)]);
    bench.kernel().room = 4;
    assert_eq!(bench.requests(1), [(third.to_bits(), 1)]);
}

#[test]
fn whose_turn_it_is_fails_with_the_reason_the_kernel_has() {
    let mut bench = stream(4);
    let [first, second, third] = bench.plainly();
    bench.engine.enter(None).unwrap();
    bench.kernel().room = 0;
    let error = io::Error::from_raw_os_error(libc::EEXIST);
    bench.kernel().enter_results.push_back(Err(error));
    bench.kernel().result(0, 100, false);
    let want = [
        (first, Ok(100)),
        (second, Err(libc::EEXIST)),
        (third, CANCELED),
    ];
    assert_eq!((bench.told(), bench.free_slots()), (want.to_vec(), 4));
}

#[test]
fn a_completion_of_what_the_kernel_does_not_have_is_counted_and_changes_nothing() {
    let mut bench = stream(6);
    let [_, head, along, _] = bench.plainly();
    bench.kernel().result(0, 100, false);
    bench.told();
    let waits = bench.send_as(Wish::Plain);
    for key in [along, waits] {
        for notification in [false, true] {
            bench.kernel().posted.push_back(Completion {
                user_data: key.to_bits(),
                result: 100,
                notification,
                ..Completion::default()
            });
        }
    }
    assert!(bench.engine.next().is_none());
    assert_eq!(bench.engine.strays().duplicate, 4);
    bench.kernel().result(1, 300, false);
    assert_eq!(bench.told()[0], (head, Ok(100)));
    bench.kernel().result(2, 100, false);
    assert_eq!(bench.told(), [(waits, Ok(100))]);
}

#[test]
fn dropping_the_ring_frees_what_waits() {
    let mut bench = stream(4);
    let _: [Key; 4] = bench.plainly();
    bench.kernel().result(0, 100, false);
    let Bench { engine, pool, .. } = bench;
    drop(engine);
    let free = std::iter::from_fn(|| pool.take()).map(std::mem::forget);
    assert_eq!(free.count(), 4);
}

#[test]
fn dropping_the_ring_frees_what_is_held() {
    let mut bench = stream(4);
    let _: [Key; 4] = bench.plainly();
    bench.engine.enter(None).unwrap();
    bench.kernel().room = 0;
    let busy = || Err(io::Error::from_raw_os_error(libc::EBUSY));
    bench.kernel().enter_results.push_back(busy());
    bench.kernel().result(0, 100, false);
    bench.told();
    let Bench { engine, pool, .. } = bench;
    drop(engine);
    let free = std::iter::from_fn(|| pool.take()).map(std::mem::forget);
    assert_eq!(free.count(), 4);
}
