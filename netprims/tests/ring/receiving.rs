//! Receiving on every rung: what arrives is what was sent, however short of memory the ring is.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netprims::Error;
use netprims::ring::{
    Event, ReceiveEnd, Ring, Rung, RxBuf, RxPlan, RxPool, RxStats, Socket, SqPoll, Strays, Ticket,
    Wait, Wanted, WhyNot,
};
use rstest::rstest;
use socket2::SockRef;

use super::{LIMIT, PATIENCE, tcp, udp};

/// A plan that leads to each way of receiving, where the kernel has it.
pub(super) fn plan(way: &str, slots: u32, slot_len: u32) -> RxPlan {
    let plan = RxPlan::new(slots, slot_len);
    match way {
        "plain" => plan.at_most(Rung::Plain),
        "multishot" => plan.bundles(false),
        "bundles" => plan,
        "incremental" => plan.incremental(true),
        _ => unreachable!(),
    }
}

/// The byte at a place of the stream: no slot and no page looks like another.
pub(super) fn byte(at: usize) -> u8 {
    let number = u64::try_from(at)
        .unwrap()
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number.to_be_bytes()[0]
}

/// How many bytes are not those of the stream.
pub(super) fn wrong(from: usize, bytes: &[u8]) -> usize {
    let places = from..;
    bytes
        .iter()
        .zip(places)
        .filter(|(got, at)| **got != byte(*at))
        .count()
}

/// Numbers that look random and are the same each time.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new() -> Self {
        Self(1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Writes the stream in pieces of a byte to a mebibyte, and closes it.
fn write_stream(mut far: impl Write + Send + 'static, total: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let stream: Vec<u8> = (0..total).map(byte).collect();
        let (mut dice, mut rest) = (Dice::new(), &stream[..]);
        while !rest.is_empty() {
            let most = 1 << dice.below(21);
            let (now, later) = rest.split_at((1 + dice.below(most)).min(rest.len()));
            far.write_all(now).unwrap();
            rest = later;
        }
    })
}

/// A stream that is received and checked as it comes.
struct Reader {
    ring: Ring,
    pool: RxPool,
    ticket: Ticket,
    received: usize,
    wrong: usize,
    end: Option<ReceiveEnd>,
}

impl Reader {
    fn new(near: impl Into<OwnedFd>, plan: &RxPlan) -> Self {
        let ring = Ring::builder().in_flight(16).build().unwrap();
        Self::of(ring, near, plan)
    }

    fn of(mut ring: Ring, near: impl Into<OwnedFd>, plan: &RxPlan) -> Self {
        let pool = ring.rx_pool(plan).unwrap();
        let socket = ring.add(near).unwrap();
        let ticket = ring.receive(socket, &pool).unwrap();
        Self {
            ring,
            pool,
            ticket,
            received: 0,
            wrong: 0,
            end: None,
        }
    }

    /// Polls once; `keep` gets each chunk that is to be kept, with its place in the stream.
    fn poll(&mut self, wait: Wait, mut keep: impl FnMut(usize) -> bool) -> Vec<(usize, RxBuf)> {
        let mut kept = Vec::new();
        let Self {
            ring,
            ticket,
            received,
            wrong: bad,
            end,
            ..
        } = self;
        ring.poll(wait, |event| match event {
            Event::Received {
                ticket: which,
                chunk,
                ..
            } => {
                assert_eq!(which, *ticket);
                assert!(end.is_none(), "a chunk behind the end");
                let at = *received;
                *bad += wrong(at, &chunk);
                *received += chunk.len();
                if keep(at) {
                    kept.push((at, chunk.detach()));
                }
            }
            Event::ReceiveEnded {
                ticket: which,
                end: why,
                ..
            } => {
                assert_eq!(which, *ticket);
                assert!(end.replace(why).is_none(), "the end is told twice");
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
        kept
    }

    fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Polls until the receive has ended.
    fn cancelled(&mut self) -> ReceiveEnd {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "it never ended");
            self.poll(Wait::AtMost(Duration::from_millis(2)), |_| false);
            if let Some(end) = self.end.take() {
                return end;
            }
        }
    }

    fn stats(&self) -> RxStats {
        self.pool.stats()
    }

    fn assert_whole(&self, total: usize) {
        assert_eq!((self.received, self.wrong), (total, 0));
        assert!(
            matches!(self.end, Some(ReceiveEnd::Closed)),
            "{:?}",
            self.end
        );
        assert_eq!(self.stats().bytes, u64::try_from(total).unwrap());
        assert_eq!(self.ring.strays(), Strays::default());
        assert_eq!(self.ring.in_flight(), 0);
        assert_eq!(self.pool.outstanding(), 0);
    }
}

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

#[rstest]
fn packets_keep_their_bounds_and_have_an_end(#[values("plain", "multishot", "bundles")] way: &str) {
    let kind = socket2::Type::SEQPACKET;
    let (near, far) = socket2::Socket::pair(socket2::Domain::UNIX, kind, None).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan(way, 4, 100)).unwrap();
    let socket = ring.add(near).unwrap();
    let ticket = ring.receive(socket, &pool).unwrap();
    let lens = [1, 100, 7, 150];
    for len in lens {
        far.send(&vec![1; len]).unwrap();
    }
    let got = datagrams(&mut ring, lens.len());
    assert!(got.iter().map(Vec::len).eq([1, 100, 7, 100]));
    drop(far);
    assert!(matches!(finish(&mut ring, ticket), (ReceiveEnd::Closed, 0)));
}

/// The datagrams a ring receives, until there are so many.
fn datagrams(ring: &mut Ring, count: usize) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while got.len() < count {
        assert!(Instant::now() < deadline, "{} of {count}", got.len());
        ring.poll(LIMIT, |event| match event {
            Event::Received { chunk, .. } => got.push(chunk.to_vec()),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    got
}

#[rstest]
fn datagrams_keep_their_bounds(
    #[values("plain", "multishot", "bundles")] way: &str,
    #[values("udp", "unix")] kind: &str,
) {
    let (near, far): (OwnedFd, OwnedFd) = if kind == "udp" {
        let (near, far) = udp();
        (near.into(), far.into())
    } else {
        let (near, far) = UnixDatagram::pair().unwrap();
        (near.into(), far.into())
    };
    let near_address = SockRef::from(&near).local_addr().unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan(way, 8, 1000)).unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &pool).unwrap();
    // Longer than a slot: cut.
    let lens = [0, 1, 999, 1000, 1400, 0, 0, 7, 500, 500];
    for round in 0..20 {
        for len in lens {
            let bytes: Vec<u8> = (round..round + len).map(byte).collect();
            let far = SockRef::from(&far);
            let sent = if kind == "udp" {
                far.send_to(&bytes, &near_address)
            } else {
                far.send(&bytes)
            };
            assert_eq!(sent.unwrap(), len);
        }
        let got = datagrams(&mut ring, lens.len());
        for (len, got) in lens.into_iter().zip(got) {
            assert_eq!((got.len(), wrong(round, &got)), (len.min(1000), 0));
        }
    }
    assert_eq!(pool.stats().stepped_down, 0);
    assert_eq!(ring.strays(), Strays::default());
}

#[test]
fn an_incremental_pool_is_refused_for_datagrams() {
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan("incremental", 4, 4096)).unwrap();
    let socket = ring.add(udp().0).unwrap();
    let received = ring.receive(socket, &pool);
    let is_refused = matches!(
        received,
        Err(Error::InvalidValue {
            option: "incremental",
            ..
        })
    );
    // A kernel that cannot has made another pool of it.
    assert_eq!(is_refused, pool.report().incremental, "{received:?}");
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

/// Polls until a receive has ended; how, and how many bytes came before.
fn finish(ring: &mut Ring, ticket: Ticket) -> (ReceiveEnd, usize) {
    let (mut told, mut bytes) = (None, 0);
    let deadline = Instant::now() + PATIENCE;
    while told.is_none() {
        assert!(Instant::now() < deadline, "it never ended");
        ring.poll(LIMIT, |event| match event {
            Event::Received { chunk, .. } => bytes += chunk.len(),
            Event::ReceiveEnded {
                ticket: which, end, ..
            } => {
                assert_eq!(which, ticket);
                told = Some(end);
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
    (told.unwrap(), bytes)
}

fn receiving(near: impl Into<OwnedFd>, way: &str) -> (Ring, RxPool, Socket, Ticket) {
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan(way, 4, 4096)).unwrap();
    let socket = ring.add(near).unwrap();
    let ticket = ring.receive(socket, &pool).unwrap();
    (ring, pool, socket, ticket)
}

#[rstest]
fn a_receive_is_cancelled(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[values(false, true)] was_polled: bool,
) {
    let (near, far) = tcp();
    let (mut ring, pool, socket, ticket) = receiving(near, way);
    if was_polled {
        ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    }
    ring.cancel(ticket).unwrap();
    assert!(matches!(
        finish(&mut ring, ticket),
        (ReceiveEnd::Cancelled, 0)
    ));
    assert!(matches!(ring.cancel(ticket), Err(Error::UnknownRequest)));
    // And begun again.
    let again = ring.receive(socket, &pool).unwrap();
    drop(far);
    assert!(matches!(finish(&mut ring, again), (ReceiveEnd::Closed, 0)));
}

#[rstest]
fn a_starved_receive_is_cancelled(#[values("plain", "multishot")] way: &str) {
    let (near, mut far) = tcp();
    let mut reader = Reader::new(near, &plan(way, 1, 8));
    far.write_all(&(0..16).map(byte).collect::<Vec<_>>())
        .unwrap();
    let mut kept = Vec::new();
    while reader.stats().starved == 0 {
        kept.extend(reader.poll(Wait::AtMost(Duration::from_millis(2)), |_| true));
    }
    reader.ring.cancel(reader.ticket).unwrap();
    let (end, bytes) = finish(&mut reader.ring, reader.ticket);
    assert!(matches!(end, ReceiveEnd::Cancelled), "{end:?}");
    assert_eq!((kept.len(), bytes), (1, 0));
}

#[rstest]
fn a_removed_socket_ends_its_receive_and_closes(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[values(false, true)] was_polled: bool,
) {
    let (near, mut far) = tcp();
    let (mut ring, _pool, socket, ticket) = receiving(near, way);
    if was_polled {
        ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    }
    drop(ring.remove(socket).unwrap());
    let (end, _) = finish(&mut ring, ticket);
    assert!(matches!(end, ReceiveEnd::Cancelled), "{end:?}");
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(
        far.read(&mut [0]).unwrap(),
        0,
        "nobody holds the connection open"
    );
}

#[rstest]
#[case::not_connected("unconnected", libc::ENOTCONN)]
#[case::reset("reset", libc::ECONNRESET)]
#[case::no_socket("file", libc::ENOTSOCK)]
fn a_receive_that_fails_says_why(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[case] what: &str,
    #[case] errno: i32,
) {
    let near: OwnedFd = match what {
        "unconnected" => socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .unwrap()
            .into(),
        "reset" => {
            let (near, far) = tcp();
            SockRef::from(&far)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(far);
            near.into()
        }
        _ => File::open("/dev/null").unwrap().into(),
    };
    let (mut ring, _pool, _, ticket) = receiving(near, way);
    match finish(&mut ring, ticket).0 {
        ReceiveEnd::Failed(error) => assert_eq!(error.raw_os_error(), Some(errno)),
        end => panic!("{end:?}"),
    }
}

#[rstest]
fn a_socket_that_does_not_block_is_waited_for(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    let (near, mut far) = tcp();
    near.set_nonblocking(true).unwrap();
    let (mut ring, _pool, _, ticket) = receiving(near, way);
    ring.poll(Wait::AtMost(Duration::from_millis(5)), |event| {
        panic!("{event:?}")
    })
    .unwrap();
    far.write_all(b"later").unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(finish(&mut ring, ticket), (ReceiveEnd::Closed, 5)));
}

#[test]
fn a_socket_has_one_receive_and_a_ring_its_own_pools() {
    let (near, _far) = tcp();
    let (mut ring, pool, socket, ticket) = receiving(near, "bundles");
    let refused = ring.receive(socket, &pool).unwrap_err();
    assert!(matches!(refused, Error::AlreadyReceiving), "{refused}");
    let mut other = Ring::builder().build().unwrap();
    let elsewhere = other.add(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    let refused = other.receive(elsewhere, &pool).unwrap_err();
    assert!(matches!(refused, Error::ForeignPool), "{refused}");
    let refused = ring.receive(elsewhere, &pool).unwrap_err();
    assert!(matches!(refused, Error::UnknownSocket), "{refused}");
    ring.cancel(ticket).unwrap();
    finish(&mut ring, ticket);
}

#[rstest]
#[case::no_slots(0, 10)]
#[case::too_many(32_769, 10)]
#[case::empty_slots(10, 0)]
fn pools_that_cannot_be_are_refused(#[case] slots: u32, #[case] slot_len: u32) {
    let mut ring = Ring::builder().build().unwrap();
    let refused = ring.rx_pool(&RxPlan::new(slots, slot_len)).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::InvalidValue {
                option: "RxPlan",
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn a_ring_lets_go_of_pools_that_are_gone() {
    let mut ring = Ring::builder().build().unwrap();
    let plan = RxPlan::new(4, 4096);
    for _ in 0..3 {
        let pools: Vec<_> = (0..64).map(|_| ring.rx_pool(&plan).unwrap()).collect();
        let refused = ring.rx_pool(&plan).unwrap_err();
        assert!(
            matches!(
                refused,
                Error::InvalidValue {
                    option: "rx_pool",
                    ..
                }
            ),
            "{refused}"
        );
        drop(pools);
    }
}

/// This kernel's version.
fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn the_report_says_what_the_kernel_lacks() {
    let mut ring = Ring::builder().build().unwrap();
    let (bundles, incremental) = (kernel() >= (6, 10), kernel() >= (6, 12));
    assert_eq!(ring.capabilities().bundles, bundles);

    let pool = ring.rx_pool(&plan("bundles", 4, 4096)).unwrap();
    let report = pool.report();
    assert_eq!((report.rung, report.bundles), (Rung::Multishot, bundles));
    assert_eq!(report.why_not(Wanted::ZeroCopy), Some(&WhyNot::NotAsked));
    let is_old = matches!(
        report.why_not(Wanted::Bundles),
        Some(WhyNot::KernelTooOld {
            needs: "Linux 6.10",
            ..
        })
    );
    assert_eq!(is_old, !bundles, "{report}");

    let pool = ring.rx_pool(&plan("incremental", 4, 4096)).unwrap();
    let report = pool.report();
    assert_eq!(
        (report.rung, report.incremental),
        (Rung::Multishot, incremental)
    );
    let is_old = matches!(
        report.why_not(Wanted::Incremental),
        Some(WhyNot::KernelTooOld {
            needs: "Linux 6.12",
            ..
        })
    );
    assert_eq!(is_old, !incremental, "{report}");
    assert!(!report.bundles, "{report}");

    let pool = ring.rx_pool(&plan("plain", 4, 4096)).unwrap();
    let text = "receives: plain\nzero-copy: no, the plan does without\nmultishot: no, the plan does without\n\
                bundles: no, not on this rung\nincremental: no, not on this rung";
    assert_eq!(pool.report().to_string(), text);
}
