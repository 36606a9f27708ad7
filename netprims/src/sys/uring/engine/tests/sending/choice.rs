//! What `Auto` makes of results.

use super::*;
use crate::sys::uring::AutoPolicy;

#[test]
fn sends_are_chosen_by_what_became_of_those_before() {
    const POLICY: AutoPolicy = AutoPolicy::new()
        .min_len(50)
        .give_up_after(3)
        .retry_after(4);
    let mut bench = stream(4);
    let mut zero_copy = Vec::new();
    for nth in 0..12 {
        bench.send_as(Wish::Auto(POLICY));
        let is_zero_copy = bench.kernel().is_zero_copy(nth);
        zero_copy.push(u8::from(is_zero_copy));
        bench.kernel().result(nth, 100, is_zero_copy);
        if is_zero_copy {
            bench.kernel().notify(nth, COPIED);
        }
        bench.told();
    }
    assert_eq!(zero_copy, [1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    let state = bench.engine.socket_state(bench.socket).unwrap();
    assert_eq!((state.totals.copied, state.plain_for), (1200, Some(4)));
    // Too short a send is plain, and counts for nothing.
    let mut slot = bench.pool.take().unwrap();
    assert!(slot.set_len(49));
    let sent = bench.engine.send(bench.socket, slot, Wish::Auto(POLICY));
    assert!(sent.is_ok());
    assert!(!bench.kernel().is_zero_copy(12));
    let state = bench.engine.socket_state(bench.socket).unwrap();
    assert_eq!(state.plain_for, Some(4));
}

#[test]
fn a_send_that_waits_is_chosen_when_it_is_its_turn() {
    const POLICY: AutoPolicy = AutoPolicy::new().min_len(0).give_up_after(1);
    let mut bench = stream(4);
    for _ in 0..3 {
        bench.send_as(Wish::Auto(POLICY));
    }
    bench.kernel().result(0, 100, true);
    assert!(bench.sent().1.is_ok());
    bench.kernel().notify(0, COPIED);
    bench.released();
    bench.kernel().result(1, 100, true);
    assert!(bench.sent().1.is_ok());
    let choices = [0, 1, 2].map(|nth| bench.kernel().is_zero_copy(nth));
    assert_eq!(choices, [true, true, false]);
    bench.kernel().notify(1, COPIED);
    bench.kernel().result(2, 100, false);
    bench.released();
    bench.told();
}

#[test]
fn a_send_that_could_not_be_queued_counts_for_nothing() {
    const POLICY: AutoPolicy = AutoPolicy::new().min_len(0).give_up_after(1).retry_after(3);
    let mut bench = bench(4);
    bench.send_as(Wish::Auto(POLICY));
    bench.kernel().result(0, 100, true);
    bench.kernel().notify(0, COPIED);
    bench.told();
    bench.send_as(Wish::Auto(POLICY));
    let plain_for = |bench: &Bench| bench.engine.socket_state(bench.socket).unwrap().plain_for;
    assert_eq!(plain_for(&bench), Some(2));
    bench.kernel().queued = bench.kernel().room;
    let error = io::Error::from_raw_os_error(libc::EBUSY);
    bench.kernel().enter_results.push_back(Err(error));
    let slot = bench.pool.take().unwrap();
    assert!(
        bench
            .engine
            .send(bench.socket, slot, Wish::Auto(POLICY))
            .is_err()
    );
    assert_eq!(plain_for(&bench), Some(2));
    bench.kernel().queued = 0;
    bench.kernel().result(1, 100, false);
}
