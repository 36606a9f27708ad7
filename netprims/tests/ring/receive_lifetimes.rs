//! What is dropped, forgotten or interrupted while data arrives: nobody reads what the kernel writes, and no slot is lost
//! that was not forgotten.

use std::io::Write;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use netprims::ring::{Chunk, Event, Ring, RxBuf, RxPool, Socket, Ticket};
use rstest::rstest;

use super::streams::{byte, plan, wrong};
use super::{LIMIT, PATIENCE, tcp};

/// A ring that receives from somebody who never stops.
struct Flood {
    ring: Ring,
    pool: RxPool,
    socket: Socket,
    ticket: Ticket,
    received: usize,
    is_over: Arc<AtomicBool>,
    writer: JoinHandle<()>,
}

fn flood(way: &str, slots: u32) -> Flood {
    let (near, mut far) = tcp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan(way, slots, 1000)).unwrap();
    let socket = ring.add(near).unwrap();
    let ticket = ring.receive(socket, &pool).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let writer = std::thread::spawn(move || {
        let mut at = 0;
        while !over.load(Ordering::Relaxed) {
            let bytes: Vec<u8> = (at..at + 5000).map(byte).collect();
            // Until the other end has gone.
            if far.write_all(&bytes).is_err() {
                return;
            }
            at += bytes.len();
        }
    });
    Flood {
        ring,
        pool,
        socket,
        ticket,
        received: 0,
        is_over,
        writer,
    }
}

impl Flood {
    /// Polls until so many chunks came; each is checked and given to `each`.
    fn chunks(&mut self, count: usize, mut each: impl FnMut(usize, Chunk<'_>)) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = 0;
        while seen < count {
            assert!(Instant::now() < deadline, "{seen}: {:?}", self.pool.stats());
            self.ring
                .poll(LIMIT, |event| match event {
                    Event::Received { chunk, .. } => {
                        let at = self.received;
                        assert_eq!(wrong(at, &chunk), 0);
                        self.received += chunk.len();
                        seen += 1;
                        each(at, chunk);
                    }
                    other => panic!("{other:?}"),
                })
                .unwrap();
        }
    }

    fn stop(self) {
        let Self {
            ring,
            is_over,
            writer,
            ..
        } = self;
        is_over.store(true, Ordering::Relaxed);
        drop(ring);
        writer.join().unwrap();
    }
}

#[rstest]
fn going_away_in_any_order_leaves_what_is_kept(
    #[values(
        "ring pool buf",
        "ring buf pool",
        "pool ring buf",
        "pool buf ring",
        "buf ring pool",
        "buf pool ring"
    )]
    order: &str,
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    let mut flood = flood(way, 8);
    let mut kept: Vec<(usize, RxBuf)> = Vec::new();
    flood.chunks(50, |at, chunk| {
        if kept.len() < 3 {
            kept.push((at, chunk.detach()));
        }
    });
    let Flood {
        ring,
        pool,
        is_over,
        writer,
        ..
    } = flood;
    let (mut ring, mut pool) = (Some(ring), Some(pool));
    for part in order.split(' ') {
        match part {
            "ring" => drop(ring.take()),
            "pool" => drop(pool.take()),
            _ => drop(kept.drain(..1)),
        }
        if let Some(ring) = &mut ring {
            // It goes on without its pool.
            ring.poll(LIMIT, |_| ()).unwrap();
        }
        for (at, buf) in &kept {
            assert_eq!(wrong(*at, buf), 0, "after {part}");
        }
    }
    is_over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(kept.iter().all(|(at, buf)| wrong(*at, buf) == 0));
}

#[rstest]
fn a_forgotten_chunk_loses_nothing(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    let mut flood = flood(way, 2);
    flood.chunks(100, |_, chunk| {
        let _ = mem::ManuallyDrop::new(chunk);
    });
    assert_eq!(flood.pool.outstanding(), 0);
    flood.stop();
}

#[rstest]
fn a_forgotten_buffer_loses_its_slot_and_no_other(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    let mut flood = flood(way, 2);
    let mut forgotten = false;
    flood.chunks(100, |_, chunk| {
        if !mem::replace(&mut forgotten, true) {
            mem::forget(chunk.detach());
        }
    });
    assert_eq!(flood.pool.outstanding(), 1);
    flood.stop();
}

#[rstest]
fn a_panicking_handler_loses_no_slot(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[values(false, true)] detaches: bool,
) {
    let mut flood = flood(way, 2);
    for _ in 0..50 {
        let mut told = 0;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            flood.ring.poll(LIMIT, |event| {
                let Event::Received { chunk, .. } = event else {
                    return;
                };
                assert_eq!(wrong(flood.received, &chunk), 0);
                told = chunk.len();
                let _kept = detaches.then(|| chunk.detach());
                panic!("the user's handler");
            })
        }));
        assert!(panicked.is_err());
        assert!(told > 0);
        flood.received += told;
    }
    flood.chunks(50, |_, _| ());
    assert_eq!(flood.pool.outstanding(), 0);
    flood.stop();
}

#[rstest]
fn a_forgotten_ring_leaves_what_is_kept(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    let mut flood = flood(way, 4);
    let mut kept = None;
    flood.chunks(10, |at, chunk| {
        if kept.is_none() {
            kept = Some((at, chunk.detach()));
        }
    });
    let Flood {
        ring,
        pool,
        is_over,
        writer,
        ..
    } = flood;
    is_over.store(true, Ordering::Relaxed);
    // What arrives from now on is nobody's, and the connection stays open: the writer must not wait for room.
    let (at, buf) = kept.unwrap();
    let mut ring = ring;
    while !writer.is_finished() {
        ring.poll(netprims::ring::Wait::No, |_| ()).unwrap();
    }
    writer.join().unwrap();
    mem::forget(ring);
    drop(pool);
    assert_eq!(wrong(at, &buf), 0);
}

#[rstest]
fn a_receive_survives_its_pools_handle(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    let mut flood = flood(way, 4);
    // Another pool: the moment at which memory is let go.
    drop(mem::replace(
        &mut flood.pool,
        flood.ring.rx_pool(&plan(way, 1, 16)).unwrap(),
    ));
    drop(flood.ring.rx_pool(&plan(way, 1, 16)).unwrap());
    flood.chunks(50, |_, _| ());
    flood.ring.cancel(flood.ticket).unwrap();
    let _ = flood.ring.remove(flood.socket).unwrap();
    flood.stop();
}
