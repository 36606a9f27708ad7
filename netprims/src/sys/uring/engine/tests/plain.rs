//! Sends that are written down briefly, and what makes sends like any other of them.

use super::*;

fn plain(bench: &mut Bench) -> Key {
    let slot = bench.pool.take().unwrap();
    let sent = bench.engine.send(bench.socket, slot, Wish::Plain);
    sent.map_err(|_| ()).unwrap()
}

#[test]
fn a_plain_send_is_not_over_before_its_completion_says_so() {
    let mut bench = bench(4);
    let key = plain(&mut bench);
    bench.kernel().result(0, 100, true);
    assert!(bench.engine.next().is_none());
    assert_eq!(bench.engine.strays().duplicate, 1);
    bench.kernel().result(0, 60, false);
    assert_eq!(bench.sent(), (key, Ok(60)));
    bench.kernel().result(0, 60, false);
    assert_eq!(bench.released(), (key, 60, Usage::Copied));
    assert!(bench.engine.next().is_none());
    assert_eq!(bench.engine.strays().late, 1);
}

#[test]
fn a_plain_send_that_is_told_can_be_cancelled_in_vain() {
    let mut bench = bench(4);
    let key = plain(&mut bench);
    bench.kernel().result(0, 100, false);
    assert_eq!(bench.sent(), (key, Ok(100)));
    bench.engine.cancel(key).unwrap();
    bench.engine.cancel_all(bench.socket).unwrap();
    assert_eq!(bench.released(), (key, 100, Usage::Copied));
    assert_eq!(bench.engine.totals().sends, 1);
}

#[test]
fn a_plain_send_that_is_given_up_is_told_so() {
    let mut bench = bench(4);
    let key = plain(&mut bench);
    bench.engine.cancel_all(bench.socket).unwrap();
    // A thread of the kernel's says it in this way.
    bench.kernel().result(0, -libc::EINTR, false);
    assert_eq!(bench.sent(), (key, Err(libc::ECANCELED)));
    assert_eq!(bench.released(), (key, 0, Usage::NotSent));
}

#[test]
fn what_was_sent_on_a_removed_socket_stays_counted() {
    let mut bench = bench(4);
    let (first, second) = (plain(&mut bench), plain(&mut bench));
    bench.kernel().result(0, 100, false);
    assert_eq!(bench.sent().0, first);
    assert_eq!(bench.released().0, first);
    bench.engine.remove(bench.socket).unwrap();
    bench.kernel().result(1, 40, false);
    assert_eq!(bench.sent().0, second);
    assert_eq!(bench.released().0, second);
    let totals = bench.engine.totals();
    assert_eq!((totals.sends, totals.copied), (2, 140));
}
