//! Every order of going away.

use std::time::{Duration, Instant};

use netprims::ring::{Ring, Wait, ZcPolicy, leaked_bytes};
use rstest::rstest;
use socket2::SockRef;

use super::{LIMIT, PATIENCE, tcp, udp};

/// What is dropped, in which order, while sends are in flight to a reader that never reads.
#[rstest]
fn going_away_in_any_order_neither_blocks_nor_frees(
    #[values(
        "ring pool buf",
        "ring buf pool",
        "pool ring buf",
        "pool buf ring",
        "buf ring pool",
        "buf pool ring"
    )]
    order: &str,
    #[values("waits", "drops", "resets")] peer: &str,
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    const LEN: u32 = 1 << 16;
    let (near, far) = tcp();
    SockRef::from(&near).set_send_buffer_size(1 << 19).unwrap();
    SockRef::from(&far).set_recv_buffer_size(4096).unwrap();
    let limit = Duration::from_millis(60);
    let mut ring = Ring::builder()
        .in_flight(32)
        .drain_limit(limit)
        .build()
        .unwrap();
    let pool = ring.tx_pool(33, LEN).unwrap();
    let socket = ring.add(near).unwrap();
    for _ in 0..32 {
        ring.send(socket, pool.take().unwrap(), policy).unwrap();
    }
    ring.poll(Wait::No, |_| ()).unwrap();
    assert!(ring.in_flight() > 0, "nothing is in flight: no test");
    let mut far = Some(far);
    match peer {
        "drops" => drop(far.take()),
        "resets" => {
            SockRef::from(far.as_ref().unwrap())
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(far.take());
        }
        _ => {}
    }
    let buf = pool.take().unwrap();
    let (mut ring, mut pool, mut buf) = (Some(ring), Some(pool), Some(buf));
    let start = Instant::now();
    for part in order.split(' ') {
        match part {
            "ring" => drop(ring.take()),
            "pool" => drop(pool.take()),
            _ => {
                // A buffer that outlives ring or pool is still whole.
                buf.as_mut().unwrap().fill(3);
                assert!(buf.take().unwrap().iter().all(|byte| *byte == 3));
            }
        }
    }
    assert!(start.elapsed() < PATIENCE, "took {:?}", start.elapsed());
}

#[test]
fn what_cannot_be_drained_is_leaked_and_counted() {
    let (near, far) = tcp();
    SockRef::from(&near).set_send_buffer_size(1 << 19).unwrap();
    SockRef::from(&far).set_recv_buffer_size(4096).unwrap();
    let mut ring = Ring::builder()
        .drain_limit(Duration::from_millis(50))
        .build()
        .unwrap();
    if !ring.capabilities().zero_copy {
        panic!("this kernel cannot hold a buffer beyond the result: no test");
    }
    let pool = ring.tx_pool(8, 1 << 16).unwrap();
    let socket = ring.add(near).unwrap();
    for _ in 0..8 {
        ring.send(socket, pool.take().unwrap(), ZcPolicy::Always)
            .unwrap();
    }
    ring.poll(Wait::No, |_| ()).unwrap();
    let before = leaked_bytes();
    drop(ring);
    assert!(leaked_bytes() - before >= 8 << 16);
    let free = std::iter::from_fn(|| pool.take())
        .map(std::mem::forget)
        .count();
    assert!(
        free < 8,
        "a slot the kernel still reads is not handed out again"
    );
    drop(far);
}

#[test]
fn a_lingering_socket_does_not_keep_the_ring_from_going() {
    let (near, far) = tcp();
    SockRef::from(&near).set_send_buffer_size(1 << 19).unwrap();
    SockRef::from(&far).set_recv_buffer_size(4096).unwrap();
    let linger = Duration::from_secs(600);
    SockRef::from(&near).set_linger(Some(linger)).unwrap();
    let mut ring = Ring::builder()
        .drain_limit(Duration::from_millis(50))
        .build()
        .unwrap();
    let pool = ring.tx_pool(1, 1 << 18).unwrap();
    let socket = ring.add(near).unwrap();
    ring.send(socket, pool.take().unwrap(), ZcPolicy::Never)
        .unwrap();
    ring.poll(Wait::No, |_| ()).unwrap();
    let start = Instant::now();
    drop(ring);
    assert!(start.elapsed() < linger / 2, "the close has waited");
    drop(far);
}

#[test]
fn any_drain_limit_can_be_asked_for() {
    let (near, _far) = udp();
    let mut ring = Ring::builder().drain_limit(Duration::MAX).build().unwrap();
    let pool = ring.tx_pool(1, 64).unwrap();
    let socket = ring.add(near).unwrap();
    ring.send(socket, pool.take().unwrap(), ZcPolicy::Always)
        .unwrap();
    drop(ring);
    assert_eq!(pool.outstanding(), 0);
}

#[test]
fn forgetting_anything_is_sound() {
    let (near, _far) = udp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(4, 64).unwrap();
    std::mem::forget(pool.take().unwrap());
    assert_eq!(pool.outstanding(), 1);
    let socket = ring.add(near).unwrap();
    ring.send(socket, pool.take().unwrap(), ZcPolicy::Always)
        .unwrap();
    ring.poll(LIMIT, |event| std::mem::forget(event)).unwrap();
    ring.send(socket, pool.take().unwrap(), ZcPolicy::Always)
        .unwrap();
    std::mem::forget(ring);
    std::mem::forget(pool.clone());
    let mut last = pool.take().unwrap();
    last.fill(1);
    drop(pool);
    assert_eq!(&last[..], [1; 64]);
}

#[test]
fn a_panicking_handler_loses_only_the_event_it_was_given() {
    let (near, far) = udp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(4, 64).unwrap();
    let socket = ring.add(near).unwrap();
    for _ in 0..4 {
        ring.send(socket, pool.take().unwrap(), ZcPolicy::Always)
            .unwrap();
    }
    let mut told = 0;
    while ring.in_flight() > 0 {
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ring.poll(LIMIT, |_| {
                told += 1;
                panic!("the user's handler");
            })
        }));
        assert!(polled.is_err());
    }
    assert_eq!(told, 8, "each event exactly once");
    assert_eq!(
        std::iter::from_fn(|| pool.take())
            .map(std::mem::forget)
            .count(),
        4
    );
    drop(far);
}
