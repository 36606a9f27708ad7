//! What is refused to a process without privilege.

use std::time::Duration;

use netprims::tuning::{Clock, TxTime};
use rstest::{Context, rstest};

use super::{ASK, ask, name};
use crate::case::{Case, Exact, Who};
use crate::open::*;
use crate::want::*;

const EITHER: (&str, &str) = ("CAP_NET_RAW or CAP_NET_ADMIN", "CAP_NET_ADMIN");

#[rstest]
#[case::budget_of_a_busy_poll(Exact(Case::of(udp, ask!(ASK.busy_poll_budget(64))), |w| match w.system {
    true => unreadable("SO_BUSY_POLL_BUDGET", "64"),
    false => needs_the_system("SO_BUSY_POLL_BUDGET", ["64", ""]),
}))]
#[case::preferred_busy_poll(Exact(Case::of(udp, ask!(ASK.prefer_busy_poll(true))), |w| match w.system {
    true => granted("SO_PREFER_BUSY_POLL", "on"),
    false => needs_the_system("SO_PREFER_BUSY_POLL", ["on", "off"]),
}))]
#[case::time_of_a_busy_poll(Exact(
    Case::of(udp, ask!(ASK.busy_poll(Duration::from_micros(50)))).fresh(&[]),
    |w| match w.system || w.kernel >= (6, 4) {
        true => granted("SO_BUSY_POLL", "50 µs"),
        false => needs_the_system("SO_BUSY_POLL", ["50 µs", "0 µs"]),
    }))]
#[case::low_priority(Exact(Case::of(udp, ask!(ASK.priority(6))), |_| granted("SO_PRIORITY", "6")))]
#[case::high_priority(Exact(Case::of(udp, ask!(ASK.priority(7))), |w| match w.network {
    true => granted("SO_PRIORITY", "7"),
    false => needs_the_network("SO_PRIORITY", ["7", "0"], EITHER.0, EITHER.1),
}))]
#[case::mark(Exact(Case::of(udp, ask!(ASK.mark(7))), |w| match w.network {
    true => granted("SO_MARK", "7"),
    false => needs_the_network("SO_MARK", ["7", "0"], EITHER.0, EITHER.1),
}))]
#[case::transparent(Exact(Case::of(tcp, ask!(ASK.transparent(true))), |w| match w.network {
    true => granted("IP_TRANSPARENT", "on"),
    false => needs_the_network("IP_TRANSPARENT", ["on", "off"], EITHER.0, EITHER.1),
}))]
#[case::freebind_needs_none(Exact(Case::of(tcp, ask!(ASK.freebind(true))), |_| granted("IP_FREEBIND", "on")))]
#[case::other_clock(Exact(Case::of(udp, ask!(ASK.txtime(TxTime::new(Clock::Tai)))), |w| match w.network {
    true => granted("SO_TXTIME", "tai"),
    false => needs_the_network(
        "SO_TXTIME",
        ["tai", ""],
        "CAP_NET_ADMIN",
        "CAP_NET_ADMIN",
    ),
}))]
#[case::clock_of_the_day(Exact(Case::of(udp, ask!(ASK.txtime(TxTime::new(Clock::Realtime)))), |w| match w.network {
    true => unreadable("SO_TXTIME", "realtime"),
    false => needs_the_network(
        "SO_TXTIME",
        ["realtime", ""],
        "CAP_NET_ADMIN",
        "CAP_NET_ADMIN",
    ),
}))]
#[case::clock_of_the_day_for_deadlines(Exact(
    Case::of(udp, ask!(ASK.txtime(TxTime::new(Clock::Realtime).deadline(true)))),
    |w| match w.network {
        true => granted("SO_TXTIME", "realtime, deadline"),
        false => needs_the_network(
            "SO_TXTIME",
            ["realtime, deadline", ""],
            "CAP_NET_ADMIN",
            "CAP_NET_ADMIN",
        ),
    }))]
#[case::other_clock_than_the_one_in_effect(Exact(
    Case::of(udp, |socket, _| {
        let _ = ASK.txtime(TxTime::new(Clock::Monotonic)).apply(&socket.fd)?;
        ASK.txtime(TxTime::new(Clock::Tai)).apply(&socket.fd)
    }),
    |w| match w.network {
        true => granted("SO_TXTIME", "tai"),
        false => needs_the_network(
            "SO_TXTIME",
            ["tai", "monotonic"],
            "CAP_NET_ADMIN",
            "CAP_NET_ADMIN",
        ),
    }))]
#[case::device_needs_none(Exact(Case::of(udp, ask!(ASK.interface("lo".parse().unwrap()))), |_| {
    granted("SO_BINDTODEVICE", "lo")
}))]
#[case::another_device(Exact(
    Case::of(on_loopback, ask!(ASK.interface("other".parse().unwrap()))).fresh(&[]),
    |w| match w.network {
        true => granted("SO_BINDTODEVICE", "other"),
        false => needs_the_network(
            "SO_BINDTODEVICE",
            ["other", "lo"],
            "CAP_NET_RAW",
            "CAP_NET_RAW",
        ),
    }))]
#[case::the_same_device(Exact(
    Case::of(on_loopback, ask!(ASK.interface("lo".parse().unwrap()))).fresh(&[]),
    |_| granted("SO_BINDTODEVICE", "lo")))]
#[case::device_that_is_not_there(Exact(
    Case::of(on_loopback, ask!(ASK.interface("no-such".parse().unwrap()))).fresh(&[]),
    |_| rule(
        "SO_BINDTODEVICE",
        ["no-such", "lo"],
        "the socket's network namespace has no such interface",
    )))]
fn the_report_is_exact(
    #[context] context: Context,
    #[case] exact: Exact,
    #[values(Who::Root, Who::Nobody)] who: Who,
) {
    exact.check(name(&context), who);
}
