//! Receiving on every rung: what arrives is what was sent, however short of memory the ring is.

use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use netprims::ring::{Event, ReceiveEnd, Ring, RxBuf, SqPoll, Strays, Ticket, Wait};
use rstest::rstest;
use socket2::SockRef;

use super::receive_packets::datagrams;
use super::streams::{Dice, Reader, byte, finish, plan, write_stream, wrong};
use super::{LIMIT, PATIENCE, tcp, udp};

fn pair(kind: &str) -> (OwnedFd, Box<dyn Write + Send>) {
    if kind == "tcp" {
        let (near, far) = tcp();
        (near.into(), Box::new(far))
    } else {
        let (near, far) = UnixStream::pair().unwrap();
        (near.into(), Box::new(far))
    }
}

#[rstest]
fn a_stream_arrives_as_it_was_sent(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[values("tcp", "unix")] kind: &str,
    #[values((64, 4096), (5, 1000), (1, 65_536))] (slots, slot_len): (u32, u32),
) {
    const TOTAL: usize = 3 << 20;
    let (near, far) = pair(kind);
    let mut reader = Reader::new(near, &plan(way, slots, slot_len));
    let writer = write_stream(far, TOTAL);
    let deadline = Instant::now() + PATIENCE;
    while !reader.is_over() {
        assert!(Instant::now() < deadline, "{:?}", reader.stats());
        reader.poll(LIMIT, |_| false);
    }
    writer.join().unwrap();
    reader.assert_whole(TOTAL);
}

#[rstest]
fn a_stream_arrives_whatever_the_ring_is(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[values("a thread for the queue", "registered files", "gathering")] what: &str,
) {
    const TOTAL: usize = 1 << 20;
    let builder = Ring::builder().in_flight(16);
    let ring = match what {
        "a thread for the queue" => builder.sqpoll(SqPoll {
            idle: Duration::from_millis(5),
            cpu: None,
        }),
        "registered files" => builder.registered_files(2),
        _ => builder,
    };
    let wait = match what {
        "gathering" => Wait::Gather {
            events: 3,
            within: Duration::from_millis(1),
            limit: PATIENCE,
        },
        _ => LIMIT,
    };
    let (near, far) = tcp();
    let mut reader = Reader::of(ring.build().unwrap(), near, &plan(way, 6, 5000));
    let writer = write_stream(far, TOTAL);
    let (mut dice, mut kept) = (Dice::new(), VecDeque::new());
    let deadline = Instant::now() + PATIENCE;
    while !reader.is_over() {
        assert!(Instant::now() < deadline, "{:?}", reader.stats());
        kept.extend(reader.poll(wait, |_| dice.below(3) == 0));
        for (at, buf) in kept.drain(..kept.len().saturating_sub(4)) {
            assert_eq!(wrong(at, &buf), 0);
        }
    }
    writer.join().unwrap();
    assert!(kept.iter().all(|(at, buf)| wrong(*at, buf) == 0));
    kept.clear();
    reader.assert_whole(TOTAL);
}

#[rstest]
fn what_is_kept_does_not_change(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[values((32, 4096), (7, 1000))] (slots, slot_len): (u32, u32),
) {
    const TOTAL: usize = 2 << 20;
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(way, slots, slot_len));
    let writer = write_stream(far, TOTAL);
    let mut dice = Dice::new();
    let mut kept: VecDeque<(usize, RxBuf)> = VecDeque::new();
    let most = usize::try_from(slots).unwrap() - 1;
    let mut checked = 0;
    let deadline = Instant::now() + PATIENCE;
    while !reader.is_over() {
        assert!(Instant::now() < deadline, "{:?}", reader.stats());
        kept.extend(reader.poll(LIMIT, |_| dice.below(3) == 0));
        // The oldest leave last, and on another thread.
        let surplus: Vec<_> = kept.drain(..kept.len().saturating_sub(most)).collect();
        checked += surplus.len();
        let bad = std::thread::spawn(move || {
            surplus
                .iter()
                .map(|(at, buf)| wrong(*at, buf))
                .sum::<usize>()
        });
        assert_eq!(bad.join().unwrap(), 0);
    }
    writer.join().unwrap();
    assert_eq!(
        kept.iter().map(|(at, buf)| wrong(*at, buf)).sum::<usize>(),
        0
    );
    assert!(checked > 10, "nothing was kept: no test");
    kept.clear();
    reader.assert_whole(TOTAL);
}

#[rstest]
fn a_starved_receive_goes_on_when_slots_come_back(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    const TOTAL: usize = 40_000;
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(way, 4, 1000));
    let writer = write_stream(far, TOTAL);
    let deadline = Instant::now() + PATIENCE;
    while !reader.is_over() {
        // Everything is kept until nothing comes any more: the pool is empty then, or the stream at its end.
        let (starved, mut kept) = (reader.stats().starved, Vec::new());
        while reader.stats().starved == starved && !reader.is_over() {
            assert!(Instant::now() < deadline, "{:?}", reader.stats());
            kept.extend(reader.poll(Wait::AtMost(Duration::from_millis(2)), |_| true));
        }
        assert_eq!(
            kept.iter().map(|(at, buf)| wrong(*at, buf)).sum::<usize>(),
            0
        );
        std::thread::spawn(move || drop(kept)).join().unwrap();
    }
    writer.join().unwrap();
    assert!(reader.stats().starved > 0);
    reader.assert_whole(TOTAL);
}

#[rstest]
fn a_starved_ring_wakes_when_another_thread_drops(#[values("plain", "multishot")] way: &str) {
    let (near, mut far) = tcp();
    let mut reader = Reader::new(near, &plan(way, 1, 8));
    far.write_all(&(0..16).map(byte).collect::<Vec<_>>())
        .unwrap();
    let mut kept = Vec::new();
    while kept.is_empty() {
        kept = reader.poll(LIMIT, |_| true);
    }
    while reader.stats().starved == 0 {
        assert!(
            reader
                .poll(Wait::AtMost(Duration::from_millis(2)), |_| true)
                .is_empty()
        );
    }
    let dropper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        drop(kept);
    });
    // For ever, though nothing in the kernel will end the wait.
    reader.poll(Wait::Forever, |_| false);
    dropper.join().unwrap();
    assert_eq!((reader.received, reader.wrong), (16, 0));
}

#[rstest]
fn a_receive_needs_a_slot_also_while_nothing_comes(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    let [(near, mut far), (other, mut far_other)] = [tcp(), tcp()];
    let mut reader = Reader::new(near, &plan(way, 1, 8));
    far.write_all(&(0..8).map(byte).collect::<Vec<_>>())
        .unwrap();
    let mut kept = Vec::new();
    while kept.is_empty() {
        kept = reader.poll(LIMIT, |_| true);
    }
    // The first may have tried again.
    let starved = reader.stats().starved;
    let other = reader.ring.add(other).unwrap();
    let ticket = reader.ring.receive(other, &reader.pool).unwrap();
    while reader.stats().starved <= starved {
        reader.poll(Wait::No, |_| true);
    }
    drop(kept);
    reader.ring.cancel(reader.ticket).unwrap();
    assert!(matches!(reader.cancelled(), ReceiveEnd::Cancelled));
    far_other.write_all(b"later").unwrap();
    drop(far_other);
    let (end, bytes) = finish(&mut reader.ring, ticket);
    assert!(matches!(end, ReceiveEnd::Closed), "{end:?}");
    assert_eq!(bytes, 5);
}

#[test]
fn a_full_completion_queue_loses_nothing() {
    let (near, far) = udp();
    SockRef::from(&near).set_recv_buffer_size(1 << 20).unwrap();
    far.connect(near.local_addr().unwrap()).unwrap();
    // Two completions at a time.
    let mut ring = Ring::builder().in_flight(1).build().unwrap();
    let pool = ring.rx_pool(&plan("multishot", 128, 16)).unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &pool).unwrap();
    for number in 0..100_u8 {
        far.send(&[number]).unwrap();
    }
    let got = datagrams(&mut ring, 100);
    assert!(got.iter().map(|got| got[0]).eq(0..100));
    assert!(pool.stats().rearmed > 0, "{:?}", pool.stats());
    assert_eq!(ring.strays(), Strays::default());
}

#[rstest]
fn many_sockets_share_a_pool(#[values("plain", "multishot", "bundles", "incremental")] way: &str) {
    const EACH: usize = 100_000;
    let mut ring = Ring::builder().in_flight(12).build().unwrap();
    // Fewer slots than sockets.
    let pool = ring.rx_pool(&plan(way, 5, 2000)).unwrap();
    let mut streams: Vec<(Ticket, usize, bool)> = Vec::new();
    let mut writers = Vec::new();
    for _ in 0..12 {
        let (near, far) = tcp();
        let socket = ring.add(near).unwrap();
        streams.push((ring.receive(socket, &pool).unwrap(), 0, false));
        writers.push(write_stream(far, EACH));
    }
    let deadline = Instant::now() + PATIENCE;
    while ring.in_flight() > 0 {
        assert!(Instant::now() < deadline, "{:?}", pool.stats());
        ring.poll(LIMIT, |event| match event {
            Event::Received { ticket, chunk, .. } => {
                let stream = streams.iter_mut().find(|stream| stream.0 == ticket);
                let (_, received, is_over) = stream.unwrap();
                assert!(!*is_over);
                assert_eq!(wrong(*received, &chunk), 0);
                *received += chunk.len();
            }
            Event::ReceiveEnded { ticket, end, .. } => {
                assert!(matches!(end, ReceiveEnd::Closed), "{end:?}");
                let stream = streams.iter_mut().find(|stream| stream.0 == ticket);
                stream.unwrap().2 = true;
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    assert!(
        streams
            .iter()
            .all(|(_, received, is_over)| *received == EACH && *is_over)
    );
    assert_eq!(ring.strays(), Strays::default());
}
