use std::time::Duration;

use netprims::ring::{Event, ReceiveEnd, RxBuf, Wait, leaked_bytes};
use rstest::rstest;

use super::{LIMIT, Pattern, Reader, builder, plan, tcp, write, write_some};

/// A reader with bytes waiting, and what it has kept of them.
fn busy(pages: u32) -> (Reader, std::net::TcpStream, Vec<(u64, RxBuf)>) {
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(pages));
    write_some(&far, 0, 10_000);
    let mut kept = Vec::new();
    while kept.is_empty() {
        kept = reader.poll(LIMIT, |_| true);
    }
    write_some(&far, 10_000, 10_000);
    (reader, far, kept)
}

#[rstest]
#[case::ring_pool_buffers("rpb")]
#[case::ring_buffers_pool("rbp")]
#[case::pool_ring_buffers("prb")]
#[case::pool_buffers_ring("pbr")]
#[case::buffers_ring_pool("brp")]
#[case::buffers_pool_ring("bpr")]
fn they_go_in_any_order_and_nothing_leaks(#[case] order: &str) {
    let (reader, far, kept) = busy(16);
    let Reader {
        ring,
        pool,
        pattern,
        ..
    } = reader;
    let before = leaked_bytes();
    let (mut ring, mut pool, mut kept) = (Some(ring), Some(pool), kept);
    for which in order.chars() {
        match which {
            'r' => drop(ring.take()),
            'p' => drop(pool.take()),
            _ => kept.clear(),
        }
        for (at, bytes) in &kept {
            assert!(pattern.has(*at, bytes), "what is kept was written");
        }
    }
    drop(far);
    assert_eq!(leaked_bytes(), before);
}

/// The kernel takes all pages back when a ring is closed. Nobody receives into them any more then: what is kept stays.
#[test]
fn what_is_kept_outlives_the_ring_unchanged_while_others_receive() {
    let (reader, far, kept) = busy(16);
    let pattern = Pattern::new();
    drop(reader);
    drop(far);
    for _ in 0..3 {
        let (near, far) = tcp();
        let mut other = Reader::new(near, &plan(16));
        let writer = write(far, 300_000);
        other.finish();
        writer.join().unwrap();
        other.assert_whole(300_000);
    }
    assert!(!kept.is_empty());
    for (at, bytes) in &kept {
        assert!(pattern.has(*at, bytes), "what is kept was written");
    }
}

#[test]
fn a_removed_socket_ends_its_receive() {
    let (near, far) = tcp();
    let mut ring = builder().build().unwrap();
    let pool = ring.rx_pool(&plan(16)).unwrap();
    let socket = ring.add(near).unwrap();
    let ticket = ring.receive(socket, &pool).unwrap();
    write_some(&far, 0, 1000);
    let mut received = 0;
    while received < 1000 {
        ring.poll(LIMIT, |event| match event {
            Event::Received { chunk, .. } => received += chunk.len(),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    let near = ring.remove(socket).unwrap();
    let mut end = None;
    while end.is_none() {
        ring.poll(LIMIT, |event| match event {
            Event::ReceiveEnded {
                ticket: which,
                end: why,
                ..
            } => {
                assert_eq!(which, ticket);
                end = Some(why);
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert!(matches!(end, Some(ReceiveEnd::Cancelled)), "{end:?}");
    // The connection is its owner's again.
    write_some(&far, 1000, 1000);
    let mut bytes = [0; 1000];
    std::io::Read::read_exact(&mut std::net::TcpStream::from(near), &mut bytes).unwrap();
    assert!(Pattern::new().has(1000, &bytes));
}

#[test]
fn a_handler_that_panics_loses_the_chunk_it_was_given_and_no_page() {
    const TOTAL: u64 = 200_000;
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(4));
    let writer = write(far, TOTAL);
    for _ in 0..10 {
        let Reader { ring, received, .. } = &mut reader;
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ring.poll(LIMIT, |event| {
                if let Event::Received { chunk, .. } = event {
                    *received += u64::try_from(chunk.len()).unwrap();
                    std::panic::resume_unwind(Box::new("the handler's own"));
                }
            })
        }));
        assert!(unwound.is_err());
    }
    reader.finish();
    writer.join().unwrap();
    assert_eq!(reader.received, TOTAL);
    assert_eq!(reader.pool.outstanding(), 0);
}

#[test]
fn pools_come_and_go_on_one_ring() {
    let mut ring = builder().build().unwrap();
    let rung = ring.rx_pool(&plan(16)).unwrap().report().rung;
    for _ in 0..5 {
        let pool = ring.rx_pool(&plan(16)).unwrap();
        assert_eq!(pool.report().rung, rung);
        let (near, far) = tcp();
        let socket = ring.add(near).unwrap();
        ring.receive(socket, &pool).unwrap();
        drop(pool);
        write_some(&far, 0, 50_000);
        drop(far);
        let (mut received, mut is_over) = (0, false);
        while !is_over {
            ring.poll(LIMIT, |event| match event {
                Event::Received { chunk, .. } => received += chunk.len(),
                Event::ReceiveEnded { .. } => is_over = true,
                other => panic!("{other:?}"),
            })
            .unwrap();
        }
        assert_eq!(received, 50_000);
        drop(ring.remove(socket).unwrap());
    }
}

#[test]
fn a_ring_that_is_dropped_while_nothing_comes_does_not_wait() {
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(16));
    reader.poll(Wait::AtMost(Duration::from_millis(10)), |_| false);
    let before = leaked_bytes();
    drop(reader);
    assert_eq!(leaked_bytes(), before);
    drop(far);
}
