use netprims::ring::Rung;
use rstest::rstest;

use super::ladder::has_no_device;
use super::{Reader, plan, tcp, write};

/// Bytes in all: a gibibyte where the full volume is asked for.
fn volume() -> u64 {
    if std::env::var_os("LAB_FULL").is_some() {
        1 << 30
    } else {
        8 << 20
    }
}

#[test]
fn a_stream_arrives_as_it_was_sent_and_the_counts_say_so() {
    let total = volume();
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(1024));
    let writer = write(far, total);
    reader.finish();
    writer.join().unwrap();
    reader.assert_whole(total);
    let stats = reader.pool.stats();
    eprintln!("{}\n{stats:?}", reader.pool.report());
    assert_eq!(stats.stepped_down, 0);
    if has_no_device() {
        assert_eq!(reader.pool.report().rung, Rung::ZeroCopy);
    }
    let is_zero_copy = reader.pool.report().rung == Rung::ZeroCopy;
    assert_eq!(stats.flushed > 0, is_zero_copy, "{stats:?}");
}

#[rstest]
#[case::one_page(1)]
#[case::a_few(3)]
#[case::some(16)]
fn a_stream_that_is_longer_than_its_area_arrives(#[case] pages: u32) {
    const TOTAL: u64 = 300_000;
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(pages));
    let writer = write(far, TOTAL);
    reader.finish();
    writer.join().unwrap();
    reader.assert_whole(TOTAL);
}

#[test]
fn several_sockets_share_a_pool() {
    use std::collections::HashMap;

    use netprims::ring::{Event, ReceiveEnd};

    use super::{LIMIT, Pattern, builder};

    const EACH: u64 = 200_000;
    const SOCKETS: usize = 5;
    let mut ring = builder().build().unwrap();
    let pool = ring.rx_pool(&plan(32)).unwrap();
    let mut received = HashMap::new();
    let mut writers = Vec::new();
    for _ in 0..SOCKETS {
        let (near, far) = tcp();
        let socket = ring.add(near).unwrap();
        received.insert(ring.receive(socket, &pool).unwrap(), 0_u64);
        writers.push(write(far, EACH));
    }
    let (pattern, mut ended) = (Pattern::new(), 0);
    while ended < SOCKETS {
        ring.poll(LIMIT, |event| match event {
            Event::Received { ticket, chunk, .. } => {
                let at = received.get_mut(&ticket).unwrap();
                assert!(pattern.has(*at, &chunk), "wrong bytes from {at} on");
                *at += u64::try_from(chunk.len()).unwrap();
            }
            Event::ReceiveEnded { end, .. } => {
                assert!(matches!(end, ReceiveEnd::Closed), "{end:?}");
                ended += 1;
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert!(received.values().all(|bytes| *bytes == EACH));
    let total = EACH * u64::try_from(SOCKETS).unwrap();
    let stats = pool.stats();
    assert_eq!((stats.bytes, stats.copied), (total, Some(total)));
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
}
