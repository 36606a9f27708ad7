use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use netprims::ring::{Event, ReceiveEnd, Rung, RxStats, Strays};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use rstest::rstest;

use super::ladder::has_no_device;
use crate::host::is_root;

use super::{LIMIT, Pattern, Reader, builder, plan, tcp, write};

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
fn a_registered_socket_is_received_from_as_another() {
    const TOTAL: u64 = 300_000;
    let (near, far) = tcp();
    let mut reader = Reader::on(&builder().registered_files(2), near, &plan(16));
    let writer = write(far, TOTAL);
    reader.finish();
    writer.join().unwrap();
    reader.assert_whole(TOTAL);
    assert_eq!(reader.pool.stats().stepped_down, 0);
}

/// Receives so many bytes from each of some sockets, into one pool. All of it may wait before the first is received.
fn several(sockets: usize, each: u64, pages: u32, waits: bool) -> RxStats {
    let mut ring = builder().build().unwrap();
    let pool = ring.rx_pool(&plan(pages)).unwrap();
    let (mut nears, mut writers) = (Vec::new(), Vec::new());
    for _ in 0..sockets {
        let (near, far) = if waits { roomy(each) } else { tcp() };
        nears.push(near);
        writers.push(write(far, each));
    }
    if waits {
        // Time for the sockets to fill; whether they do changes how much comes at once, and nothing else.
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut received = HashMap::new();
    for near in nears {
        let socket = ring.add(near).unwrap();
        received.insert(ring.receive(socket, &pool).unwrap(), 0_u64);
    }
    let (pattern, mut ended) = (Pattern::new(), 0);
    while ended < sockets {
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
    assert!(received.values().all(|bytes| *bytes == each));
    let stats = pool.stats();
    let total = each * u64::try_from(sockets).unwrap();
    assert_eq!((stats.bytes, stats.copied), (total, Some(total)));
    assert_eq!(ring.strays(), Strays::default());
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    stats
}

#[test]
fn several_sockets_share_a_pool() {
    several(5, 200_000, 32, false);
}

/// A connection that takes so many bytes before anything of them is received, where the thread may set that.
fn roomy(bytes: u64) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let room = 2 * usize::try_from(bytes).unwrap();
    let forced = setsockopt(&listener, RcvBufForce, &room);
    assert!(forced.is_ok() || !is_root(), "{forced:?}");
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // The connected end has the listener's room.
    (listener.accept().unwrap().0, near)
}

/// The kernel has room for 4096 completions, each of a page.
#[test]
fn more_at_once_than_the_completion_queue_holds_loses_nothing() {
    let stats = several(8, 6 << 20, 8192, true);
    eprintln!("{stats:?}");
    if has_no_device() {
        // A receive that waited for pages is armed again, too.
        let overflowed = stats.rearmed > stats.starved;
        assert!(overflowed, "it never overflowed: {stats:?}");
    }
}
