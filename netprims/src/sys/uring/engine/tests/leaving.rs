//! Dropping an engine with work in flight.

use super::*;

#[test]
fn a_drain_without_limit_has_one() {
    let kernel = Fake::new();
    let mut engine = Engine::new(kernel, 1, Duration::MAX);
    assert_eq!(engine.drain_limit, LONGEST_DRAIN);
    let pool = engine.pool(Shape::new(1, 64).unwrap()).unwrap().unwrap();
    let socket = engine.add(UnixStream::pair().unwrap().0.into()).unwrap();
    assert!(
        engine
            .send(socket, pool.take().unwrap(), Wish::ZeroCopy)
            .is_ok()
    );
    // The ring does not answer any more, or this would take an hour.
    for _ in 0..3 {
        let error = io::Error::from_raw_os_error(libc::EEXIST);
        engine.kernel_mut().enter_results.push_back(Err(error));
    }
    let before = leaked_bytes();
    drop(engine);
    assert!(leaked_bytes() - before >= 64);
    assert!(pool.take().is_none(), "the slot is leaked, not freed");
}

#[test]
fn a_panic_on_the_way_out_leaks_what_the_kernel_reads() {
    let mut bench = bench(4);
    bench.send();
    bench.kernel().enter_panics = true;
    let Bench { engine, pool, .. } = bench;
    let before = leaked_bytes();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(engine))).is_err());
    assert!(leaked_bytes() - before >= 4 * 128);
    let free = std::iter::from_fn(|| pool.take()).map(std::mem::forget);
    assert_eq!(free.count(), 3, "the slot in flight is not free");
}

#[test]
fn drop_drains_what_comes_in_time() {
    let mut bench = bench(4);
    bench.send();
    bench.kernel().result(0, 100, true);
    bench.kernel().notify(0, 0);
    let Bench { engine, pool, .. } = bench;
    drop(engine);
    assert_eq!(
        std::iter::from_fn(|| pool.take())
            .map(std::mem::forget)
            .count(),
        4
    );
}

#[test]
fn drop_leaks_and_counts_what_the_kernel_keeps() {
    let mut bench = bench(4);
    bench.send();
    bench.kernel().result(0, 100, true);
    let Bench { engine, pool, .. } = bench;
    // Only a bound on the wait lets this return.
    let before = leaked_bytes();
    drop(engine);
    // A lower bound: other tests of this process leak too.
    assert!(leaked_bytes() - before >= 4 * 128);
    assert_eq!(
        std::iter::from_fn(|| pool.take())
            .map(std::mem::forget)
            .count(),
        3
    );
}

#[test]
fn drop_leaks_when_the_ring_no_longer_answers() {
    let mut bench = bench(4);
    bench.send();
    for _ in 0..3 {
        bench
            .kernel()
            .enter_results
            .push_back(Err(io::Error::from_raw_os_error(libc::EEXIST)));
    }
    let Bench { engine, pool, .. } = bench;
    drop(engine);
    assert_eq!(
        std::iter::from_fn(|| pool.take())
            .map(std::mem::forget)
            .count(),
        3
    );
}

/// Whether the socket of a ring is closed that goes with its queue not taken.
fn is_closed(is_taken_by_others: bool, places: u32) -> bool {
    let mut engine = Engine::new(Fake::new(), 4, Duration::ZERO);
    engine.register_files(places).unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    let socket = engine.add(near.into()).unwrap();
    engine.shutdown(socket, libc::SHUT_WR).unwrap();
    let kernel = engine.kernel_mut();
    kernel.is_taken_by_others = is_taken_by_others;
    let busy = || Err(io::Error::from_raw_os_error(libc::EBUSY));
    kernel.enter_results.extend([busy(), busy(), busy()]);
    drop(engine);
    far.set_nonblocking(true).unwrap();
    match io::Read::read(&mut far, &mut [0]) {
        Ok(0) => true,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::nobody_takes_it_any_more(false, 0, true)]
#[case::a_thread_may_take_it(true, 0, false)]
#[case::a_thread_may_take_it_and_finds_a_file(true, 1, true)]
fn a_number_that_may_be_looked_up_later_is_not_free(
    #[case] is_taken_by_others: bool,
    #[case] places: u32,
    #[case] closed: bool,
) {
    let before = leaked_descriptors();
    assert_eq!(is_closed(is_taken_by_others, places), closed);
    if !closed {
        assert!(leaked_descriptors() > before);
    }
}

/// A socket that lingers, and a copy of it.
fn lingering() -> (OwnedFd, Socket2) {
    let socket = Socket2::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_linger(Some(Duration::from_secs(7))).unwrap();
    (socket.try_clone().unwrap().into(), socket)
}

#[rstest]
#[case::of_the_process_that_made_it(false, None)]
#[case::of_its_forked_child(true, Some(Duration::from_secs(7)))]
fn dropping_a_ring_keeps_only_its_own_process_from_lingering(
    #[case] is_away: bool,
    #[case] linger: Option<Duration>,
) {
    let (socket, copy) = lingering();
    let mut bench = bench_of(socket, 4, 4);
    bench.kernel().is_away = is_away;
    drop(bench);
    assert_eq!(copy.linger().unwrap(), linger);
}

#[test]
fn drop_sends_nothing_again() {
    let mut bench = bench(4);
    bench.send();
    bench.kernel().result(0, -libc::EOPNOTSUPP, false);
    let pool = bench.pool.clone();
    drop(bench);
    assert_eq!(
        std::iter::from_fn(|| pool.take())
            .map(std::mem::forget)
            .count(),
        4
    );
}
