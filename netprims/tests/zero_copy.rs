//! Sends that really are zero-copy, in a network namespace of their own.
//!
//! Loopback and veth copy everything. An ifb or dummy device takes packets as they are and drops them, so UDP to a
//! static neighbour behind it is zero-copied, with no hardware.
#![cfg(feature = "ring")]

use std::net::UdpSocket;
use std::time::Duration;

use black_hole::black_hole;
use netns::{Fresh, in_fresh};
use netprims::ring::{Event, Ring, Usage, Wait, ZcPolicy};

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
