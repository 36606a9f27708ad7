//! Sends that really are zero-copy, in a network namespace of their own.
//!
//! Loopback and veth copy everything. An ifb or dummy device takes packets as they are and drops them, so UDP to a
//! static neighbour behind it is zero-copied, with no hardware.
#![cfg(feature = "ring")]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::net::UdpSocket;
use std::time::Duration;

use black_hole::black_hole;
use netns::{Fresh, in_fresh};
use netprims::ring::{AutoState, Event, Ring, Socket, TxBuf, TxPool, Usage, Wait, ZcPolicy};

mod again;
mod black_hole;
mod netns;

#[test]
fn udp_over_a_device_that_does_not_copy_is_all_zero_copied() {
    in_fresh(
        Fresh::Network,
        "udp_over_a_device_that_does_not_copy_is_all_zero_copied",
        || {
            // From where it may pay to what a datagram can hold, on and off the bounds of pages.
            const LENGTHS: [usize; 6] = [16_384, 16_385, 24_001, 40_960, 60_000, 65_507];
            black_hole();
            let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
            socket.connect("10.7.0.2:9").unwrap();
            let mut ring = Ring::builder().build().unwrap();
            assert!(
                ring.capabilities().usage_report,
                "this kernel does not tell: no test"
            );
            let pool = ring.tx_pool(32, 65_507).unwrap();
            let socket = ring.add(socket).unwrap();
            let mut lengths = LENGTHS.into_iter().cycle();
            let mut bytes = 0;
            for _ in 0..10 {
                while let Some(mut buf) = pool.take() {
                    let length = lengths.next().unwrap();
                    buf.set_len(length).unwrap();
                    bytes += u64::try_from(length).unwrap();
                    ring.send(socket, buf, ZcPolicy::Always).unwrap();
                }
                while ring.in_flight() > 0 {
                    let limit = Wait::AtMost(Duration::from_secs(60));
                    let events = ring.poll(limit, |event| match event {
                        Event::Sent { result, .. } => assert!(LENGTHS.contains(&result.unwrap())),
                        Event::Released { usage, .. } => assert_eq!(usage, Usage::ZeroCopied),
                        other => panic!("{other:?}"),
                    });
                    assert!(events.unwrap() > 0, "nothing for a minute");
                }
            }
            let totals = ring.totals();
            assert_eq!((totals.sends, totals.zero_copied), (320, bytes));
            assert_eq!((totals.copied, totals.not_sent, totals.unknown), (0, 0, 0));
        },
    );
}

const LEN: u32 = 20_000;

/// Sends with all slots of the pool, as long as there are any left.
fn send_all(ring: &mut Ring, socket: Socket, pool: &TxPool, rounds: u64) {
    for _ in 0..rounds {
        while let Some(buf) = pool.take() {
            ring.send(socket, buf, ZcPolicy::default()).unwrap();
        }
        drain(ring);
    }
}

fn drain(ring: &mut Ring) {
    while ring.in_flight() > 0 {
        let limit = Wait::AtMost(Duration::from_secs(60));
        let events = ring.poll(limit, |event| {
            if let Event::Sent { result, .. } = event {
                assert!(result.unwrap() > 0);
            }
        });
        assert!(events.unwrap() > 0, "nothing for a minute");
    }
}

#[test]
fn what_is_zero_copied_stays_so_by_default() {
    in_fresh(
        Fresh::Network,
        "what_is_zero_copied_stays_so_by_default",
        || {
            black_hole();
            let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
            socket.connect("10.7.0.2:9").unwrap();
            let mut ring = Ring::builder().build().unwrap();
            let pool = ring.tx_pool(8, LEN).unwrap();
            let socket = ring.add(socket).unwrap();
            send_all(&mut ring, socket, &pool, 100);
            let stats = ring.send_stats(socket).unwrap();
            let bytes = 800 * u64::from(LEN);
            assert_eq!((stats.totals.zero_copied, stats.totals.copied), (bytes, 0));
            assert_eq!(stats.auto, AutoState::ZeroCopy);
        },
    );
}

#[test]
fn messages_of_several_buffers_are_zero_copied() {
    in_fresh(
        Fresh::Network,
        "messages_of_several_buffers_are_zero_copied",
        || {
            black_hole();
            let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
            socket.connect("10.7.0.2:9").unwrap();
            let mut ring = Ring::builder().build().unwrap();
            let pools = [(); 2].map(|()| ring.tx_pool(8, LEN).unwrap());
            let socket = ring.add(socket).unwrap();
            // Of one pool, which can be a fixed buffer, and of two, which cannot.
            for pools in [[&pools[0], &pools[0]], [&pools[0], &pools[1]]] {
                for _ in 0..20 {
                    let mut bufs: Vec<TxBuf> =
                        (0..3).map(|nth| pools[nth % 2].take().unwrap()).collect();
                    ring.send_vectored(socket, &mut bufs, ZcPolicy::Always)
                        .unwrap();
                    drain(&mut ring);
                }
            }
            let totals = ring.totals();
            assert_eq!((totals.sends, totals.copied), (40, 0));
            assert_eq!(totals.zero_copied, 120 * u64::from(LEN));
        },
    );
}

/// Over loopback everything is copied.
#[test]
fn what_is_copied_all_the_same_is_given_up_by_default() {
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(4, LEN).unwrap();
    let socket = ring.add(near).unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while far.recv(&mut bytes).unwrap() > 0 {}
    });
    send_all(&mut ring, socket, &pool, 3);
    let stats = ring.send_stats(socket).unwrap();
    // Eight in a row, and what was in flight with the eighth. The next send makes up its mind.
    assert_eq!(stats.totals.copied, 12 * u64::from(LEN));
    let AutoState::Plain { sends, .. } = stats.auto else {
        panic!("{stats:?}")
    };
    assert_eq!(sends, 60, "four of the 64 were plain");
    send_all(&mut ring, socket, &pool, 250);
    let stats = ring.send_stats(socket).unwrap();
    assert_eq!(stats.totals.copied, 1012 * u64::from(LEN));
    assert!(matches!(stats.auto, AutoState::Plain { .. }));
    // An empty datagram ends the reader.
    let mut buf = pool.take().unwrap();
    buf.set_len(0).unwrap();
    ring.send(socket, buf, ZcPolicy::Never).unwrap();
    while ring.in_flight() > 0 {
        ring.poll(Wait::Forever, |_| ()).unwrap();
    }
    reader.join().unwrap();
}
