//! Receives that end when nothing comes.

use std::io::Write;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use netprims::Error;
use netprims::ring::{Event, ReceiveEnd, Ring, RxPlan, Strays, Ticket, Wait};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rstest::rstest;

use super::streams::plan;
use super::{Kind, LIMIT, PATIENCE, tcp};

const SHORT: Duration = Duration::from_millis(40);
const LONG: Duration = Duration::from_secs(3600);

/// Polls until a receive is over; what it brought.
fn ends(ring: &mut Ring, which: Ticket) -> (Vec<u8>, ReceiveEnd) {
    let (mut got, mut over) = (Vec::new(), None);
    while over.is_none() {
        ring.poll(LIMIT, |event| match event {
            Event::Received { chunk, .. } => got.extend_from_slice(&chunk),
            Event::ReceiveEnded { ticket, end, .. } => {
                assert_eq!(ticket, which);
                over = Some(end);
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    (got, over.unwrap())
}

/// Nothing is in flight, and what is left of the clock tells nothing.
fn settles(ring: &mut Ring) {
    assert_eq!(ring.in_flight(), 0);
    let told = ring.poll(Wait::Forever, |event| panic!("{event:?}"));
    assert_eq!((told.unwrap(), ring.in_flight()), (0, 0));
    assert_eq!(ring.strays(), Strays::default());
}

#[rstest]
fn a_silent_peer_ends_the_receive_and_what_it_sent_before_is_told(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    let (near, mut far) = tcp();
    let mut ring = kind.builder().build().unwrap();
    let pool = ring.rx_pool(&plan(way, 8, 1000)).unwrap();
    let socket = ring.add(near).unwrap();
    far.write_all(b"hello").unwrap();
    let ticket = ring.receive_until_idle(socket, &pool, SHORT).unwrap();
    let (got, end) = ends(&mut ring, ticket);
    assert!(matches!(end, ReceiveEnd::Idle), "{end:?}");
    assert_eq!(got, b"hello");
    settles(&mut ring);
    // The connection is as it was: it can be received from again.
    far.write_all(b"again").unwrap();
    drop(far);
    let ticket = ring.receive_until_idle(socket, &pool, LONG).unwrap();
    let (got, end) = ends(&mut ring, ticket);
    assert!(matches!(end, ReceiveEnd::Closed), "{end:?}");
    assert_eq!(got, b"again");
    settles(&mut ring);
}

#[test]
fn a_peer_that_goes_on_is_not_idle_however_long_it_takes() {
    let (near, mut far) = tcp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan("bundles", 8, 1000)).unwrap();
    let socket = ring.add(near).unwrap();
    let limit = Duration::from_secs(2);
    let ticket = ring.receive_until_idle(socket, &pool, limit).unwrap();
    // For longer than the limit, with pauses that are far shorter than it.
    let mut bytes = 0;
    let start = std::time::Instant::now();
    while start.elapsed() < 3 * limit / 2 {
        far.write_all(b"x").unwrap();
        bytes += 1;
        let pause = Wait::AtMost(Duration::from_millis(20));
        ring.poll(pause, |event| match event {
            Event::Received { .. } => {}
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    drop(far);
    let (_, end) = ends(&mut ring, ticket);
    assert!(matches!(end, ReceiveEnd::Closed), "{end:?}");
    assert_eq!(pool.stats().bytes, bytes);
    settles(&mut ring);
}

#[test]
fn a_receive_that_waits_for_memory_is_not_idle() {
    let (near, mut far) = tcp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&RxPlan::new(1, 4)).unwrap();
    let socket = ring.add(near).unwrap();
    far.write_all(b"12345678").unwrap();
    let ticket = ring.receive_until_idle(socket, &pool, SHORT).unwrap();
    let mut kept = None;
    while kept.is_none() {
        ring.poll(LIMIT, |event| match event {
            Event::Received { chunk, .. } => kept = Some(chunk.detach()),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    let told = ring.poll(Wait::AtMost(10 * SHORT), |event| panic!("{event:?}"));
    assert_eq!(told.unwrap(), 0);
    drop(kept);
    let (got, end) = ends(&mut ring, ticket);
    assert!(matches!(end, ReceiveEnd::Idle), "{end:?}");
    assert_eq!(got, b"5678");
    settles(&mut ring);
}

#[test]
fn datagrams_that_do_not_come_end_it_and_no_time_is_refused() {
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&RxPlan::new(4, 1000)).unwrap();
    let socket = ring.add(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    let refused = ring.receive_until_idle(socket, &pool, Duration::ZERO);
    assert!(matches!(refused, Err(Error::InvalidValue { .. })));
    let ticket = ring.receive_until_idle(socket, &pool, SHORT).unwrap();
    let (_, end) = ends(&mut ring, ticket);
    assert!(matches!(end, ReceiveEnd::Idle), "{end:?}");
    settles(&mut ring);
}

#[test]
fn who_waits_for_the_bell_is_told_the_end() {
    let (near, _far) = tcp();
    let mut ring = Ring::builder().build().unwrap().pollable().unwrap();
    let pool = ring.rx_pool(&RxPlan::new(4, 1000)).unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive_until_idle(socket, &pool, SHORT).unwrap();
    let mut end = None;
    while end.is_none() {
        let told = ring.poll(Wait::No, |event| match event {
            Event::ReceiveEnded { end: why, .. } => end = Some(why),
            other => panic!("{other:?}"),
        });
        if told.unwrap() == 0 {
            let mut fds = [PollFd::new(ring.as_fd(), PollFlags::POLLIN)];
            let patience = PollTimeout::try_from(PATIENCE).unwrap();
            assert_eq!(poll(&mut fds, patience).unwrap(), 1, "nothing rang");
        }
    }
    assert!(matches!(end, Some(ReceiveEnd::Idle)), "{end:?}");
}

#[test]
fn cancelling_and_removing_end_the_clock_as_well() {
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&RxPlan::new(4, 1000)).unwrap();
    let pairs = [tcp(), tcp()];
    let mut fars = Vec::new();
    for (nth, (near, far)) in pairs.into_iter().enumerate() {
        fars.push(far);
        let socket = ring.add(near).unwrap();
        let ticket = ring.receive_until_idle(socket, &pool, LONG).unwrap();
        ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
        if nth == 0 {
            ring.cancel(ticket).unwrap();
        } else {
            drop(ring.remove(socket).unwrap());
        }
        let (_, end) = ends(&mut ring, ticket);
        assert!(matches!(end, ReceiveEnd::Cancelled), "{end:?}");
        settles(&mut ring);
    }
    // A ring that is dropped waits for none.
    let near = tcp().0;
    let socket = ring.add(near).unwrap();
    ring.receive_until_idle(socket, &pool, LONG).unwrap();
    ring.poll(Wait::No, |_| ()).unwrap();
    drop(ring);
    assert_eq!(pool.outstanding(), 0);
}
