use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::Duration;

use netprims::ring::{Event, Ring, Strays, Totals, TxPool, Wait, ZcPolicy};

use super::lengths::{LONGEST, Lengths};
use super::pattern::Pattern;

/// How long nothing may happen before that is an error. Long: a machine under load is no defect.
pub(super) const PATIENCE: Wait = Wait::AtMost(Duration::from_secs(60));

/// Short sends have a pool of their own, so that many are in flight at a time. The two together are within the memory that
/// a user without privilege may lock.
const SHORT: u32 = 1 << 14;
const SHORT_SLOTS: u32 = 48;
const LONG_SLOTS: u32 = 3;

/// Sends so many bytes of the pattern without copying, if the kernel can, in sends of random lengths.
pub(super) fn write(
    stream: TcpStream,
    pattern: &Pattern,
    seed: u64,
    volume: u64,
) -> (Totals, Strays) {
    let mut ring = Ring::builder().build().unwrap();
    let short = ring.tx_pool(SHORT_SLOTS, SHORT).unwrap();
    let long = ring.tx_pool(LONG_SLOTS, LONGEST).unwrap();
    let socket = ring.add(stream).unwrap();
    let mut lengths = Lengths::new(seed);
    let mut length = lengths.next();
    let mut position = 0;
    // The lengths of the sends whose results are not known yet. The ring is to keep their order.
    let mut sending = VecDeque::new();
    let mut most_at_a_time = 0;
    while position < volume || ring.in_flight() > 0 {
        while position < volume {
            let pool: &TxPool = if length <= SHORT { &short } else { &long };
            let Some(mut buf) = pool.take() else { break };
            let left = u32::try_from(volume - position).unwrap_or(u32::MAX);
            let now = usize::try_from(length.min(left)).unwrap();
            buf.set_len(now).unwrap();
            pattern.write(position, &mut buf);
            ring.send(socket, buf, ZcPolicy::Always).unwrap();
            sending.push_back(now);
            position += u64::try_from(now).unwrap();
            length = lengths.next();
        }
        most_at_a_time = sending.len().max(most_at_a_time);
        let events = ring.poll(PATIENCE, |event| match event {
            Event::Sent { result, .. } => assert_eq!(Some(result.unwrap()), sending.pop_front()),
            // Whoever still reads it sends something else.
            Event::Released { mut buf, .. } => buf.fill(0xAA),
            other => panic!("{other:?}"),
        });
        assert!(events.unwrap() > 0, "nothing moves");
    }
    assert!(most_at_a_time > 1, "there was no order to keep");
    (ring.totals(), ring.strays())
}
