//! Sends that are given up after a time.

use std::io::Read;
use std::net::TcpStream;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use netprims::ring::{
    Event, Ring, SendOptions, Socket, Strays, Ticket, TxBuf, TxPool, Wait, ZcPolicy,
};
use rstest::rstest;
use socket2::SockRef;

use super::{Kind, LIMIT, tcp};

/// So short that it is over before a peer that never reads does.
const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(3600);

/// What was told of sends, in order: results, and how many buffers came back.
#[derive(Default)]
struct Story {
    results: Vec<(Ticket, Result<usize, i32>)>,
    released: usize,
    /// The buffers that came back, overwritten.
    bufs: Vec<TxBuf>,
}

/// What overwrites a buffer that is free.
const SCRIBBLE: u8 = 0xee;

impl Story {
    fn hear(&mut self, event: Event<'_>) {
        match event {
            Event::Sent { ticket, result, .. } => {
                let result = result.map_err(|error| error.raw_os_error().unwrap());
                self.results.push((ticket, result));
            }
            Event::Released { mut buf, .. } => {
                self.released += 1;
                buf.fill(SCRIBBLE);
                self.bufs.push(buf);
            }
            other => panic!("{other:?}"),
        }
    }

    /// Polls until so many results are told.
    fn until(&mut self, ring: &mut Ring, results: usize) {
        while self.results.len() < results {
            ring.poll(LIMIT, |event| self.hear(event)).unwrap();
        }
    }
}

/// Bytes that no socket's buffers take at once.
const LARGE: u32 = 16 << 20;

fn within(limit: Duration, policy: ZcPolicy) -> SendOptions {
    SendOptions::new().policy(policy).within(limit)
}

fn filled(pool: &TxPool, byte: u8) -> TxBuf {
    fill(pool.take().unwrap(), byte)
}

fn fill(mut buf: TxBuf, byte: u8) -> TxBuf {
    buf.fill(byte);
    buf
}

/// A stream whose peer reads nothing.
fn stuck(kind: Kind) -> (Ring, TxPool, Socket, TcpStream) {
    let (near, far) = tcp();
    let mut ring = kind.builder().build().unwrap();
    let pool = ring.tx_pool(4, LARGE).unwrap();
    let socket = ring.add(near).unwrap();
    (ring, pool, socket, far)
}

#[rstest]
fn a_send_to_a_peer_that_does_not_read_is_given_up_and_tells_how_far_it_got(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values(ZcPolicy::Never, ZcPolicy::Always)] policy: ZcPolicy,
) {
    let (mut ring, pool, socket, mut far) = stuck(kind);
    let options = within(SHORT, policy);
    let mut story = Story::default();
    let first = ring.send(socket, filled(&pool, 1), options).unwrap();
    let behind = ring.send(socket, filled(&pool, 2), options).unwrap();
    story.until(&mut ring, 2);
    let (told, taken) = story.results[0];
    let taken = taken.unwrap();
    assert_eq!(told, first);
    assert!(taken > 0 && taken < LARGE as usize, "{taken}");
    assert_eq!(story.results[1], (behind, Err(libc::ECANCELED)));
    // The socket is as full as it can be, or takes the little that it has found room for since.
    let mut all = taken;
    let last = loop {
        let Some(buf) = pool.take() else {
            // Those that came back, or else the next that does.
            if story.bufs.pop().is_none() {
                ring.poll(LIMIT, |event| story.hear(event)).unwrap();
            }
            continue;
        };
        let ticket = ring.send(socket, fill(buf, 3), options).unwrap();
        let told = story.results.len() + 1;
        story.until(&mut ring, told);
        match story.results[told - 1] {
            (which, Ok(taken)) if which == ticket => all += taken,
            other => break (other, ticket),
        }
    };
    assert_eq!(last.0, (last.1, Err(libc::ETIMEDOUT)));
    // The peer gets what was told, and no byte more.
    let mut bytes = vec![0; all];
    far.read_exact(&mut bytes).unwrap();
    let (of_first, of_others) = bytes.split_at(taken);
    assert!(of_first.iter().all(|byte| *byte == 1));
    assert!(of_others.iter().all(|byte| *byte == 3));
    while ring.in_flight() > 0 {
        ring.poll(LIMIT, |event| story.hear(event)).unwrap();
    }
    assert_eq!(story.released, story.results.len());
    // Older kernels keep a registered socket open until nothing is in flight.
    drop(ring.remove(socket).unwrap());
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
    drop(story.bufs);
    assert_eq!(pool.outstanding(), 0);
    assert_eq!(ring.strays(), Strays::default());
}

#[rstest]
fn a_send_in_time_is_as_one_without_a_limit(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values(ZcPolicy::Never, ZcPolicy::Always)] policy: ZcPolicy,
) {
    let (near, mut far) = tcp();
    let mut ring = kind.builder().build().unwrap();
    let pool = ring.tx_pool(16, 1000).unwrap();
    let socket = ring.add(near).unwrap();
    let mut story = Story::default();
    let mut tickets = Vec::new();
    for nth in 0..12_u8 {
        let mut buf = pool.take().unwrap();
        buf.fill(nth);
        // Those without a limit would share a request, were the others not among them.
        let options = match nth % 3 {
            0 => SendOptions::from(policy),
            _ => within(LONG, policy),
        };
        tickets.push(ring.send(socket, buf, options).unwrap());
    }
    let mut bufs: Vec<_> = (0..3).map(|_| pool.take().unwrap()).collect();
    for buf in &mut bufs {
        buf.fill(12);
    }
    let message = ring.send_vectored(socket, &mut bufs, within(LONG, policy));
    tickets.push(message.unwrap());
    story.until(&mut ring, 13);
    let want: Vec<_> = tickets
        .iter()
        .enumerate()
        .map(|(nth, ticket)| (*ticket, Ok(if nth == 12 { 3000 } else { 1000 })))
        .collect();
    assert_eq!(story.results, want);
    let mut bytes = vec![0; 15_000];
    far.read_exact(&mut bytes).unwrap();
    for (nth, chunk) in bytes.chunks(1000).enumerate() {
        assert!(chunk.iter().all(|byte| usize::from(*byte) == nth.min(12)));
    }
    while ring.in_flight() > 0 {
        ring.poll(LIMIT, |event| story.hear(event)).unwrap();
    }
    drop(story.bufs);
    assert_eq!(pool.outstanding(), 0);
    assert_eq!(ring.strays(), Strays::default());
}

#[test]
fn a_socket_that_refuses_zero_copy_is_sent_to_plainly_within_the_limit() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(2, LARGE).unwrap();
    let socket = ring.add(near).unwrap();
    let mut story = Story::default();
    let mut buf = pool.take().unwrap();
    buf.set_len(100).unwrap();
    ring.send(socket, buf, within(LONG, ZcPolicy::Always))
        .unwrap();
    story.until(&mut ring, 1);
    assert_eq!(story.results[0].1, Ok(100));
    assert_eq!(ring.is_plain_only(socket).ok(), Some(true));
    far.read_exact(&mut [0; 100]).unwrap();
    // And what is sent plainly has a limit, too.
    let buf = pool.take().unwrap();
    ring.send(socket, buf, within(SHORT, ZcPolicy::Always))
        .unwrap();
    story.until(&mut ring, 2);
    let taken = story.results[1].1.unwrap();
    assert!(taken > 0 && taken < LARGE as usize, "{taken}");
    assert_eq!(ring.strays(), Strays::default());
}

#[test]
fn a_datagram_that_finds_no_room_in_time_is_not_sent() {
    let (near, far) = UnixDatagram::pair().unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(64, 4096).unwrap();
    SockRef::from(&near).set_send_buffer_size(16_384).unwrap();
    let socket = ring.add(near).unwrap();
    let mut story = Story::default();
    let last = loop {
        story.bufs.clear();
        let buf = pool.take().unwrap();
        let told = story.results.len() + 1;
        ring.send(socket, buf, within(SHORT, ZcPolicy::Never))
            .unwrap();
        story.until(&mut ring, told);
        match story.results[told - 1].1 {
            Ok(taken) => assert_eq!(taken, 4096),
            Err(errno) => break errno,
        }
    };
    assert_eq!(last, libc::ETIMEDOUT);
    far.set_nonblocking(true).unwrap();
    let mut room = [0; 8192];
    let arrived = std::iter::from_fn(|| far.recv(&mut room).ok()).count();
    assert_eq!(arrived, story.results.len() - 1);
}

#[rstest]
fn a_limited_send_can_be_cancelled_and_tells_so(
    #[values(ZcPolicy::Never, ZcPolicy::Always)] policy: ZcPolicy,
) {
    let (mut ring, pool, socket, far) = stuck(Kind::Plain);
    let mut story = Story::default();
    // Fills the socket.
    ring.send(socket, pool.take().unwrap(), within(SHORT, policy))
        .unwrap();
    story.until(&mut ring, 1);
    let last = loop {
        story.bufs.clear();
        let ticket = ring
            .send(socket, pool.take().unwrap(), within(LONG, policy))
            .unwrap();
        ring.poll(Wait::AtMost(SHORT), |event| story.hear(event))
            .unwrap();
        ring.cancel(ticket).unwrap();
        let told = story.results.len() + 1;
        story.until(&mut ring, told);
        if let Err(errno) = story.results[told - 1].1 {
            break errno;
        }
    };
    assert_eq!(last, libc::ECANCELED);
    drop(far);
}

#[rstest]
fn a_ring_that_goes_away_leaves_no_limit_behind(
    #[values(Kind::Plain, Kind::Thread)] kind: Kind,
    #[values(ZcPolicy::Never, ZcPolicy::Always)] policy: ZcPolicy,
) {
    let (mut ring, pool, socket, far) = stuck(kind);
    for _ in 0..3 {
        ring.send(socket, pool.take().unwrap(), within(LONG, policy))
            .unwrap();
    }
    ring.poll(Wait::AtMost(SHORT), |event| panic!("{event:?}"))
        .unwrap();
    // What TCP has taken is the peer's to acknowledge.
    drop(far);
    drop(ring);
    assert_eq!(pool.outstanding(), 0);
}
