//! Receives of one slot each, where the kernel knows nothing better.

use super::*;

#[test]
fn a_plain_receive_holds_a_slot_for_each_request() {
    let (mut bench, key) = bench(2, Giving::OneByOne);
    bench.kernel().result(0, 30, false);
    assert_eq!(bench.next(), Some(Seen::Chunk(key, 30)));
    bench.enter();
    let slots = [0, 1].map(|nth| match bench.kernel().pushed[nth].operation {
        Operation::Receive {
            address, len: LEN, ..
        } => address,
        other => panic!("{other:?}"),
    });
    assert_ne!(slots[0], slots[1], "the first is read");
    bench.kernel().result(1, 0, false);
    assert_eq!(bench.all(), [Seen::End(key, End::Closed)]);
    assert_eq!((bench.duplicates(), bench.lost()), (0, 0));
    assert_eq!(bench.handle.counters().rearmed.count(), 0, "it always is");
}

#[rstest]
#[case::longer_than_the_slot(101, None, false, End::Failed(libc::EPROTO))]
#[case::out_of_a_buffer(10, Some(0), false, End::Failed(libc::EPROTO))]
#[case::no_buffers_to_choose_from(-libc::ENOBUFS, None, false, End::Failed(libc::ENOBUFS))]
#[case::unknown_to_the_kernel(-libc::EINVAL, None, false, End::Failed(libc::EINVAL))]
fn a_plain_receive_ends(
    #[case] result: i32,
    #[case] buffer: Option<u16>,
    #[case] more: bool,
    #[case] end: End,
) {
    let (mut bench, key) = bench(1, Giving::OneByOne);
    let user_data = key.to_bits();
    bench.kernel().posted.push_back(Completion {
        user_data,
        result,
        more,
        buffer,
        ..Completion::default()
    });
    assert_eq!(bench.all(), [Seen::End(key, end)]);
    // Of a request with a buffer of the ring's choosing nobody knows which slot it wrote.
    assert_eq!(bench.lost(), usize::from(buffer.is_some()));
}

#[test]
fn plain_receives_share_their_slots_in_turn() {
    let (mut bench, first) = bench(1, Giving::OneByOne);
    let others = [(); 3].map(|()| {
        let near = UnixStream::pair().unwrap().0;
        let socket = bench.engine.add(near.into()).unwrap();
        bench.engine.receive(socket, &bench.handle).unwrap()
    });
    bench.enter();
    assert_eq!(bench.pushed(), 1);
    assert_eq!(bench.handle.counters().starved.count(), 3);
    let mut order = vec![first];
    for nth in 0..4 {
        bench.kernel().result(nth, 10, false);
        assert_eq!(bench.all(), [Seen::Chunk(order[nth], 10)]);
        bench.enter();
        let user_data = bench.kernel().pushed.last().unwrap().user_data;
        order.push(Key::from_bits(user_data));
        assert_eq!(bench.pushed(), nth + 2, "one slot, one request");
    }
    assert_eq!(order[1..4], others);
    assert_eq!(order[4], first);
}

#[test]
fn a_plain_receive_that_was_not_queued_holds_no_slot() {
    let mut engine = Engine::new(Fake::new(), 8, Duration::from_millis(20));
    let handle = engine.group(Shape::new(1, LEN).unwrap(), Giving::OneByOne);
    let handle = handle.unwrap().unwrap();
    let socket = engine.add(UnixStream::pair().unwrap().0.into()).unwrap();
    let key = engine.receive(socket, &handle).unwrap();
    engine.kernel_mut().room = 0;
    for _ in 0..3 {
        assert!(engine.enter(None).is_err());
    }
    engine.kernel_mut().room = 1;
    engine.enter(None).unwrap();
    assert_eq!(engine.kernel_mut().pushed[0].user_data, key.to_bits());
}

#[test]
fn a_ring_that_waits_looks_whether_a_slot_came_back() {
    let (mut bench, _) = bench(1, Giving::OneByOne);
    let near = UnixStream::pair().unwrap().0;
    let socket = bench.engine.add(near.into()).unwrap();
    bench.engine.receive(socket, &bench.handle).unwrap();
    // It starves in this very call.
    bench.engine.enter(Some(Wait::Forever)).unwrap();
    let waited = *bench.kernel().entered.last().unwrap();
    assert_eq!(waited, Some(Wait::AtMost(Duration::from_millis(2))));
}
