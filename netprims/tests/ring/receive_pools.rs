//! The memory that is received into, and what its report says.

use std::net::UdpSocket;

use netprims::Error;
use netprims::ring::{Event, Ring, Rung, RxPlan, Wanted, WhyNot};
use rstest::rstest;

use super::streams::{finish, plan, receiving};
use super::{LIMIT, tcp};

#[test]
fn a_socket_has_one_receive_and_a_ring_its_own_pools() {
    let (near, _far) = tcp();
    let (mut ring, pool, socket, ticket) = receiving(near, "bundles");
    let refused = ring.receive(socket, &pool).unwrap_err();
    assert!(matches!(refused, Error::AlreadyReceiving), "{refused}");
    let mut other = Ring::builder().build().unwrap();
    let elsewhere = other.add(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    let refused = other.receive(elsewhere, &pool).unwrap_err();
    assert!(matches!(refused, Error::ForeignPool), "{refused}");
    let refused = ring.receive(elsewhere, &pool).unwrap_err();
    assert!(matches!(refused, Error::UnknownSocket), "{refused}");
    ring.cancel(ticket).unwrap();
    finish(&mut ring, ticket);
}

#[rstest]
#[case::no_slots(0, 10)]
#[case::too_many(32_769, 10)]
#[case::empty_slots(10, 0)]
fn pools_that_cannot_be_are_refused(#[case] slots: u32, #[case] slot_len: u32) {
    let mut ring = Ring::builder().build().unwrap();
    let refused = ring.rx_pool(&RxPlan::new(slots, slot_len)).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::InvalidValue {
                option: "RxPlan",
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn a_ring_lets_go_of_pools_that_are_gone() {
    let mut ring = Ring::builder().build().unwrap();
    let plan = RxPlan::new(4, 4096);
    for _ in 0..3 {
        let pools: Vec<_> = (0..64).map(|_| ring.rx_pool(&plan).unwrap()).collect();
        let refused = ring.rx_pool(&plan).unwrap_err();
        assert!(
            matches!(
                refused,
                Error::InvalidValue {
                    option: "rx_pool",
                    ..
                }
            ),
            "{refused}"
        );
        drop(pools);
    }
}

/// This kernel's version.
fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn the_report_says_what_the_kernel_lacks() {
    let mut ring = Ring::builder().build().unwrap();
    let (bundles, incremental) = (kernel() >= (6, 10), kernel() >= (6, 12));
    assert_eq!(ring.capabilities().bundles, bundles);

    let pool = ring.rx_pool(&plan("bundles", 4, 4096)).unwrap();
    let report = pool.report();
    assert_eq!((report.rung, report.bundles), (Rung::Multishot, bundles));
    assert_eq!(report.why_not(Wanted::ZeroCopy), Some(&WhyNot::NotAsked));
    let is_old = matches!(
        report.why_not(Wanted::Bundles),
        Some(WhyNot::KernelTooOld {
            needs: "Linux 6.10",
            ..
        })
    );
    assert_eq!(is_old, !bundles, "{report}");

    let pool = ring.rx_pool(&plan("incremental", 4, 4096)).unwrap();
    let report = pool.report();
    assert_eq!(
        (report.rung, report.incremental),
        (Rung::Multishot, incremental)
    );
    let is_old = matches!(
        report.why_not(Wanted::Incremental),
        Some(WhyNot::KernelTooOld {
            needs: "Linux 6.12",
            ..
        })
    );
    assert_eq!(is_old, !incremental, "{report}");
    assert!(!report.bundles, "{report}");
    let why = report.why_not(Wanted::Bundles).unwrap();
    let text = if incremental {
        "the plan's incremental excludes it"
    } else {
        "the kernel is too old (needs Linux 6.10)"
    };
    assert_eq!(why.to_string(), text);
    let plain = plan("incremental", 4, 4096).bundles(false);
    let pool = ring.rx_pool(&plain).unwrap();
    let why = pool.report().why_not(Wanted::Bundles);
    assert_eq!(why, Some(&WhyNot::NotAsked));

    let pool = ring.rx_pool(&plan("plain", 4, 4096)).unwrap();
    let text = "receives: plain\nzero-copy: no, the plan does without\n\
                multishot: no, the plan's at_most excludes it\nbundles: no, not on this rung\nincremental: no, not on this rung";
    assert_eq!(pool.report().to_string(), text);
}

#[test]
fn a_socket_says_how_it_is_received_from_and_why_not_as_its_pool_says() {
    let (near, _far) = tcp();
    let (mut ring, pool, stream, ticket) = receiving(near, "bundles");
    let bundles = pool.report().bundles;
    let report = ring.receive_report(stream).unwrap().unwrap();
    assert_eq!((report.rung, report.bundles), (Rung::Multishot, bundles));
    assert_eq!(report.declined, []);
    let datagrams = ring.add(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    assert!(ring.receive_report(datagrams).unwrap().is_none());
    ring.receive(datagrams, &pool).unwrap();
    let report = ring.receive_report(datagrams).unwrap().unwrap();
    assert_eq!((report.rung, report.bundles), (Rung::Multishot, false));
    let why = bundles.then_some(&WhyNot::NotAStream);
    assert_eq!(report.why_not(Wanted::Bundles), why);
    drop(ring.remove(datagrams).unwrap());
    ring.cancel(ticket).unwrap();
    while ring.in_flight() > 0 {
        let ends = |event: Event<'_>| assert!(matches!(event, Event::ReceiveEnded { .. }));
        ring.poll(LIMIT, ends).unwrap();
    }
    assert!(ring.receive_report(stream).unwrap().is_none(), "it is over");
    drop(ring.remove(stream).unwrap());
    let refused = ring.receive_report(stream).unwrap_err();
    assert!(matches!(refused, Error::UnknownSocket), "{refused}");
}
