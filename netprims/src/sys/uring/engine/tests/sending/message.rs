//! Messages of several buffers.

use super::*;

#[test]
fn dropping_the_ring_leaks_a_message_the_kernel_keeps() {
    let mut bench = bench(4);
    bench.message(&[100, 100, 100], Wish::ZeroCopy).unwrap();
    bench.kernel().result(0, 300, true);
    let Bench { engine, pool, .. } = bench;
    let before = leaked_bytes();
    drop(engine);
    // The pool, and what the message was made of.
    assert!(leaked_bytes() - before >= 4 * 128 + 256);
    let free = std::iter::from_fn(|| pool.take()).map(std::mem::forget);
    assert_eq!(free.count(), 1);
}

#[rstest]
#[case::whole(300, [(100, Usage::ZeroCopied), (150, Usage::ZeroCopied), (50, Usage::ZeroCopied)])]
#[case::short(120, [(100, Usage::ZeroCopied), (20, Usage::ZeroCopied), (0, Usage::NotSent)])]
fn a_message_has_one_result_and_gives_back_each_buffer(
    #[case] result: i32,
    #[case] want: [(u32, Usage); 3],
) {
    let mut bench = bench(4);
    let shape = Shape::new(3, 200).unwrap();
    bench.pool = bench.engine.pool(shape).unwrap().unwrap();
    let key = bench.message(&[100, 150, 50], Wish::ZeroCopy).unwrap();
    bench.kernel().result(0, result, true);
    let taken = u32::try_from(result).unwrap();
    assert_eq!(bench.sent(), (key, Ok(taken)));
    assert!(bench.engine.next().is_none());
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (3, 0));
    bench.kernel().notify(0, 0);
    for (bytes, usage) in want {
        assert_eq!(bench.released(), (key, bytes, usage));
    }
    assert!(bench.engine.next().is_none());
    let totals = bench.engine.totals();
    let not_sent = 300 - u64::from(taken);
    assert_eq!((totals.sends, totals.not_sent), (1, not_sent));
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 3));
}

#[rstest]
#[case::of_one_pool(true, 100, false, Some(0))]
#[case::of_two_pools(true, 100, true, None)]
#[case::with_an_empty_buffer(true, 0, false, None)]
#[case::before_fixed_messages(false, 100, false, None)]
fn a_message_is_fixed_where_that_can_be(
    #[case] kernel_can: bool,
    #[case] len: usize,
    #[case] two_pools: bool,
    #[case] want: Option<u16>,
) {
    let mut bench = bench(4);
    bench.kernel().fixed_messages = kernel_can;
    let other = bench
        .engine
        .pool(Shape::new(1, 100).unwrap())
        .unwrap()
        .unwrap();
    let second = if two_pools { &other } else { &bench.pool };
    let mut slots = vec![bench.pool.take().unwrap(), second.take().unwrap()];
    assert!(slots[0].set_len(len));
    bench
        .engine
        .check_message(bench.socket, slots.iter())
        .unwrap();
    let (socket, wish) = (bench.socket, Wish::ZeroCopy);
    let key = bench.engine.put_together(socket, slots.into_iter(), wish);
    bench
        .engine
        .start_message(key.unwrap(), socket, drop)
        .unwrap();
    assert!(matches!(
        bench.kernel().pushed[0].operation,
        Operation::SendMessage { buffer, zero_copy: true, .. } if buffer == want
    ));
    bench.kernel().result(0, 200, false);
}

#[test]
fn a_refused_message_is_sent_plainly() {
    let mut bench = bench(4);
    let key = bench.message(&[100, 100], Wish::ZeroCopy).unwrap();
    bench.kernel().result(0, -libc::EOPNOTSUPP, true);
    assert!(bench.engine.next().is_none());
    assert!(matches!(
        bench.kernel().pushed[1].operation,
        Operation::SendMessage {
            buffer: None,
            zero_copy: false,
            ..
        }
    ));
    bench.engine.enter(None).unwrap();
    let messages = &bench.kernel().messages;
    assert_eq!(messages[0], messages[1]);
    bench.kernel().result(1, 200, false);
    assert_eq!(bench.sent(), (key, Ok(200)));
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (2, 2));
    bench.kernel().notify(0, COPIED);
    assert_eq!(bench.released(), (key, 100, Usage::Copied));
    assert_eq!(bench.released(), (key, 100, Usage::Copied));
}

#[test]
fn a_message_whose_pages_cannot_be_pinned_is_sent_plainly() {
    let mut bench = bench(4);
    let key = bench.message(&[100, 100], Wish::ZeroCopy).unwrap();
    bench.kernel().result(0, -libc::ENOMEM, true);
    assert!(bench.engine.next().is_none());
    assert!(!bench.kernel().is_zero_copy(1));
    bench.kernel().notify(0, COPIED);
    bench.kernel().result(1, 200, false);
    assert_eq!(bench.told(), [(key, Ok(200))]);
    // The socket is not to blame; and of a single buffer, which is pinned already, the error is told.
    let key = bench.send();
    assert!(bench.kernel().is_zero_copy(2));
    bench.kernel().result(2, -libc::ENOMEM, false);
    assert_eq!(bench.told(), [(key, Err(libc::ENOMEM))]);
}

#[test]
fn a_message_that_cannot_be_queued_gives_all_buffers_back() {
    let mut bench = bench(4);
    bench.kernel().room = 0;
    let error = io::Error::from_raw_os_error(libc::ENOMEM);
    bench.kernel().enter_results.push_back(Err(error));
    // `message` looks at what comes back.
    let queued = bench.message(&[10, 20, 30], Wish::ZeroCopy);
    assert!(matches!(queued, Err(NotQueued::Enter(_))));
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 4));
}

#[rstest]
#[case::none(&[], "Shape")]
#[case::too_many(&[1; 17], "Shape")]
#[case::no_room(&[1; 13], "Full")]
fn an_impossible_message_is_refused(#[case] lens: &[usize], #[case] want: &str) {
    let mut bench = bench_of(datagrams(), 12, 20);
    let error = bench.message(lens, Wish::Plain).unwrap_err();
    assert_eq!(format!("{error:?}"), want);
    assert_eq!((bench.engine.in_flight(), bench.free_slots()), (0, 20));
}

#[test]
fn there_are_headers_for_all_that_can_be_in_flight() {
    let mut bench = bench_of(datagrams(), 8, 8);
    for _ in 0..2 {
        let first = bench.kernel().pushed.len();
        let keys = [(); 4].map(|()| bench.message(&[1, 2], Wish::Plain).unwrap());
        for (nth, key) in keys.into_iter().enumerate() {
            bench.kernel().result(first + nth, 3, false);
            assert_eq!(bench.sent(), (key, Ok(3)));
            bench.released();
            bench.released();
        }
    }
}

/// What two messages name, as the kernel sees it when it is handed both.
fn two_messages() -> Vec<Vec<usize>> {
    let mut bench = bench(4);
    for lens in [[1, 2], [3, 4]] {
        bench.message(&lens, Wish::Plain).unwrap();
    }
    bench.engine.enter(None).unwrap();
    for nth in 0..2 {
        bench.kernel().result(nth, 0, false);
    }
    let messages = &bench.kernel().messages;
    let lens = |message: &Vec<(usize, usize)>| message.iter().map(|range| range.1).collect();
    messages.iter().map(lens).collect()
}

#[test]
fn what_a_message_names_stays_as_it_was() {
    assert_eq!(two_messages(), [[1, 2], [3, 4]]);
    let buggy = defect::with(Some(Defect::FreeHeaderAtSend), two_messages);
    assert_eq!(buggy, [[3, 4], [3, 4]], "the defect is not noticed");
}
