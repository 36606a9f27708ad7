//! Times and counts that the kernel rounds or makes nothing of.

use rstest::{Context, rstest};
use std::time::Duration;

use super::{ASK, ask, name};
use crate::case::{Case, Exact, Who};
use crate::open::*;
use crate::want::*;

const WHOLE: &str = "the kernel waits a whole number of retransmissions and rounds up";

#[rstest]
#[case::accept_deferred_as_long_as_retransmissions_take(Exact(
    Case::of(tcp, ask!(ASK.defer_accept(Duration::from_secs(7)))),
    |_| granted("TCP_DEFER_ACCEPT", "7000000 µs")))]
#[case::accept_deferred_for_less(Exact(Case::of(tcp, ask!(ASK.defer_accept(Duration::from_secs(5)))), |_| {
    deferred(5)
}))]
#[case::accept_deferred_for_longer_than_timeouts_grow(Exact(
    Case::of(tcp, ask!(ASK.defer_accept(Duration::from_secs(300)))),
    |_| deferred(300)))]
#[case::accept_deferred_for_ever(Exact(Case::of(tcp, ask!(ASK.defer_accept(Duration::from_secs(100_000)))), |_| {
    rule(
        "TCP_DEFER_ACCEPT",
        ["100000000000 µs", &format!("{} µs", retransmitted(255) * 1_000_000)],
        "the kernel waits at most 255 retransmissions",
    )
}))]
#[case::busy_poll_that_is_off(Exact(
    Case::of(connected, ask!(ASK.busy_poll(Duration::ZERO).prefer_busy_poll(false))),
    |_| granted("SO_BUSY_POLL", "0 µs").and(granted("SO_PREFER_BUSY_POLL", "off"))))]
#[case::probes_that_are_not_asked_for(Exact(Case::of(tcp, ask!(ASK.keepalive_count(3))), |_| {
    granted("TCP_KEEPCNT", "3").warning(
        "SO_KEEPALIVE is off: TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT have no effect without it",
    )
}))]
#[case::probes(Exact(Case::of(tcp, ask!(ASK.keepalive(true).keepalive_count(3))), |_| {
    granted("SO_KEEPALIVE", "on").and(granted("TCP_KEEPCNT", "3"))
}))]
#[case::busy_poll_over_loopback(Exact(
    Case::of(connected, ask!(ASK.busy_poll(Duration::from_micros(50)))).fresh(&[]),
    |w| match w.system || w.kernel >= (6, 4) {
        true => granted("SO_BUSY_POLL", "50 µs").warning(
            "SO_BUSY_POLL: the socket has no NAPI id, so there is nothing to poll: its packets come over loopback, veth \
             or another device without NAPI, or none has come yet",
        ),
        false => needs_the_system("SO_BUSY_POLL", ["50 µs", "0 µs"]),
    }))]
fn the_report_is_exact(
    #[context] context: Context,
    #[case] exact: Exact,
    #[values(Who::Root, Who::Nobody)] who: Who,
) {
    exact.check(name(&context), who);
}

/// The time until this many retransmissions have timed out: 1 s, doubled each time, 120 s at most.
fn retransmitted(times: u32) -> u64 {
    (0..times)
        .map(|nth| 1_u64.checked_shl(nth).map_or(120, |time| time.min(120)))
        .sum()
}

fn deferred(seconds: u64) -> Want {
    let times = (0..=255).map(retransmitted);
    let waited = times.into_iter().find(|time| *time >= seconds).unwrap();
    let micros = |seconds: u64| format!("{} µs", seconds * 1_000_000);
    rule(
        "TCP_DEFER_ACCEPT",
        [&micros(seconds), &micros(waited)],
        WHOLE,
    )
}
