//! Handlers that queue while they are told what happened.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use netprims::Error;
use netprims::ring::{Event, ReceiveEnd, Ring, RxPlan, Strays, Wait, ZcPolicy};
use rstest::rstest;

use super::streams::plan;
use super::{LIMIT, PATIENCE, tcp};

const LEN: usize = 1000;

/// How long one of many polls may take.
const TURN: Wait = Wait::AtMost(Duration::from_secs(1));

/// Every byte that comes is sent back from its handler.
#[rstest]
fn a_handler_answers_what_it_is_told(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[values(9, 64)] in_flight: u32,
) {
    const ROUNDS: u8 = 50;
    let mut ring = Ring::builder().in_flight(in_flight).build().unwrap();
    let rx = ring.rx_pool(&plan(way, 4, 4096)).unwrap();
    let tx = ring.tx_pool(8, 4096).unwrap();
    let (near, mut far) = tcp();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &rx).unwrap();
    for round in 0..ROUNDS {
        far.write_all(&[round; LEN]).unwrap();
        let mut answered = 0;
        let deadline = Instant::now() + PATIENCE;
        while answered < LEN || tx.outstanding() > 0 {
            assert!(Instant::now() < deadline, "round {round}");
            let told = ring.poll_with(LIMIT, |event, queue| match event {
                Event::Received { chunk, .. } => {
                    let mut buf = tx.take().unwrap();
                    buf.set_len(chunk.len()).unwrap();
                    buf.copy_from_slice(&chunk);
                    queue.send(socket, buf, ZcPolicy::Never).unwrap();
                    answered += chunk.len();
                }
                Event::Sent { result, .. } => assert!(result.is_ok()),
                Event::Released { .. } => {}
                other => panic!("{other:?}"),
            });
            told.unwrap();
        }
        let mut answer = [0; LEN];
        far.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [round; LEN]);
    }
    assert_eq!(ring.strays(), Strays::default());
}

/// The socket goes away, and its memory is used again, under a handler that still reads: what it reads stays as it is.
#[test]
fn what_is_lent_stays_while_its_handler_takes_the_socket_away() {
    let mut ring = Ring::builder().build().unwrap();
    let rx = ring.rx_pool(&RxPlan::new(1, 4096)).unwrap();
    let (near, mut far) = tcp();
    let (other_near, mut other_far) = tcp();
    let socket = ring.add(near).unwrap();
    let other = ring.add(other_near).unwrap();
    ring.receive(socket, &rx).unwrap();
    far.write_all(&[1; LEN]).unwrap();
    let mut ends = Vec::new();
    let mut came = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while came.len() < 2 * LEN || ends.is_empty() {
        assert!(Instant::now() < deadline);
        let told = ring.poll_with(LIMIT, |event, queue| match event {
            Event::Received { chunk, .. } if came.is_empty() => {
                assert_eq!(chunk.len(), LEN);
                drop(queue.remove(socket).unwrap());
                queue.receive(other, &rx).unwrap();
                other_far.write_all(&[2; LEN]).unwrap();
                assert_eq!(*chunk, [1; LEN]);
                came.extend_from_slice(&chunk);
            }
            Event::Received { chunk, .. } => came.extend_from_slice(&chunk),
            Event::ReceiveEnded { end, .. } => ends.push(end),
            other => panic!("{other:?}"),
        });
        told.unwrap();
    }
    assert_eq!(came, [[1; LEN], [2; LEN]].concat());
    assert!(matches!(ends[..], [ReceiveEnd::Cancelled]));
    assert_eq!(rx.outstanding(), 0);
}

/// A pool of one slot goes on, whatever a handler does to the event that lends it.
#[rstest]
#[case::dropped(0)]
#[case::forgotten(1)]
#[case::panicked(2)]
fn a_slot_comes_back_from_a_handler_that_queues(#[case] what: u8) {
    let mut ring = Ring::builder().build().unwrap();
    let rx = ring.rx_pool(&RxPlan::new(1, 4096)).unwrap();
    let (near, mut far) = tcp();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &rx).unwrap();
    let deadline = Instant::now() + PATIENCE;
    for _ in 0..10 {
        far.write_all(&[7; LEN]).unwrap();
        let mut came = 0;
        let mut clocks = 0;
        while came < LEN || clocks == 0 {
            assert!(Instant::now() < deadline, "the slot does not come back");
            let polled = catch_unwind(AssertUnwindSafe(|| {
                ring.poll_with(TURN, |event, queue| match event {
                    Event::Received { ref chunk, .. } => {
                        came += chunk.len();
                        queue.timeout(Duration::ZERO).unwrap();
                        match what {
                            0 => drop(event),
                            1 => std::mem::forget(event),
                            _ => panic!("the user's handler"),
                        }
                    }
                    Event::TimedOut { .. } => clocks += 1,
                    other => panic!("{other:?}"),
                })
            }));
            assert!(polled.is_ok() || what == 2);
        }
    }
    assert_eq!(rx.outstanding(), 0);
}

/// A handler that queues more than the queue holds has the kernel take it.
#[test]
fn a_handler_may_queue_more_than_the_queue_holds() {
    // The queue has a place for each, and the cancels need as many again.
    const CLOCKS: u32 = 256;
    let mut ring = Ring::builder().in_flight(CLOCKS).build().unwrap();
    ring.timeout(Duration::ZERO).unwrap();
    let mut told = 0;
    while told <= CLOCKS {
        let polled = ring.poll_with(LIMIT, |event, queue| {
            let Event::TimedOut { result, .. } = event else {
                panic!("{event:?}");
            };
            assert_eq!(result.is_ok(), told == 0);
            if told == 0 {
                for _ in 0..CLOCKS {
                    let ticket = queue.timeout(PATIENCE).unwrap();
                    queue.cancel(ticket).unwrap();
                }
                let error = queue.timeout(PATIENCE).unwrap_err();
                assert!(matches!(error, Error::RingFull));
            }
            told += 1;
        });
        assert!(polled.unwrap() > 0);
    }
    assert_eq!(ring.in_flight(), 0);
}

#[test]
fn a_queue_refuses_what_its_ring_refuses() {
    let (mut ring, mut other) = (
        Ring::builder().build().unwrap(),
        Ring::builder().build().unwrap(),
    );
    let foreign = other.add(tcp().0).unwrap();
    let foreign_ticket = other.timeout(PATIENCE).unwrap();
    let pool = ring.tx_pool(1, 100).unwrap();
    let foreign_rx = other.rx_pool(&RxPlan::new(1, 100)).unwrap();
    let socket = ring.add(tcp().0).unwrap();
    ring.timeout(Duration::ZERO).unwrap();
    let told = ring.poll_with(LIMIT, |_, queue| {
        let buf = pool.take().unwrap();
        let rejected = queue.send(foreign, buf, ZcPolicy::Never).unwrap_err();
        assert!(matches!(rejected.error, Error::UnknownSocket));
        let unknown = |error| matches!(error, Error::UnknownSocket);
        assert!(unknown(queue.remove(foreign).unwrap_err()));
        assert!(unknown(queue.accept(foreign).unwrap_err()));
        assert!(unknown(queue.cancel_all(foreign).unwrap_err()));
        assert!(unknown(
            queue.shutdown(foreign, Shutdown::Both).unwrap_err()
        ));
        let error = queue.cancel(foreign_ticket).unwrap_err();
        assert!(matches!(error, Error::ForeignTicket));
        let error = queue.receive(socket, &foreign_rx).unwrap_err();
        assert!(matches!(error, Error::ForeignPool));
    });
    assert_eq!(told.unwrap(), 1);
    assert_eq!(ring.poll(Wait::No, |_| ()).unwrap(), 0);
}
