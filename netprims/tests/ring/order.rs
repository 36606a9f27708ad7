//! The order of what is sent on one stream.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use netprims::ring::{AutoPolicy, Event, Ring, Strays, TxBuf, Usage, Wait, ZcPolicy};
use rstest::rstest;
use socket2::SockRef;

use super::{LIMIT, tcp};

/// Numbers that follow each other, so that every byte tells its place.
struct Stream {
    at: u64,
}

impl Stream {
    fn byte(at: u64) -> u8 {
        let mixed = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        mixed.to_le_bytes()[0]
    }

    /// Writes what comes next.
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = Self::byte(self.at);
            self.at += 1;
        }
    }
}

/// Reads to the end, slowly, and tells how much there was and how many bytes were not what they should be.
fn reader(mut far: TcpStream) -> JoinHandle<(u64, u64)> {
    std::thread::spawn(move || {
        let (mut at, mut wrong) = (0, 0);
        let mut bytes = vec![0; 30_011];
        loop {
            let read = far.read(&mut bytes).unwrap();
            if read == 0 {
                return (at, wrong);
            }
            for byte in &bytes[..read] {
                wrong += u64::from(*byte != Stream::byte(at));
                at += 1;
            }
        }
    })
}

/// Lengths that do not repeat soon.
fn len(nth: u64, most: u64) -> usize {
    let mixed = nth.wrapping_mul(0xd134_2543_de82_ef95).rotate_left(17);
    usize::try_from(1 + mixed % most).unwrap()
}

#[rstest]
fn many_sends_queued_at_once_arrive_in_order(
    #[values("never", "always", "auto", "mixed")] policies: &str,
    #[values(64, 5000, 200_000)] most: u64,
) {
    const SENDS: u64 = 400;
    let (near, far) = tcp();
    // Little room, so that sends wait for it.
    SockRef::from(&near).set_send_buffer_size(1 << 16).unwrap();
    let mut ring = Ring::builder().in_flight(64).build().unwrap();
    let pool = ring.tx_pool(64, u32::try_from(most).unwrap()).unwrap();
    let socket = ring.add(near).unwrap();
    let auto = ZcPolicy::Auto(
        AutoPolicy::new()
            .min_len(1000)
            .give_up_after(4)
            .retry_after(3),
    );
    let policy = |nth: u64| match (policies, nth % 7) {
        ("never", _) | ("mixed", 0..=3) => ZcPolicy::Never,
        ("always", _) | ("mixed", 4 | 5) => ZcPolicy::Always,
        _ => auto,
    };
    let reader = reader(far);
    let (mut stream, mut nth, mut results, mut bytes) = (Stream { at: 0 }, 0, 0, 0);
    while results < SENDS || ring.in_flight() > 0 {
        while nth < SENDS {
            let Some(mut buf) = pool.take() else { break };
            buf.set_len(len(nth, most)).unwrap();
            stream.fill(&mut buf);
            bytes += buf.len();
            ring.send(socket, buf, policy(nth)).unwrap();
            nth += 1;
        }
        ring.poll(LIMIT, |event| match event {
            Event::Sent { result, .. } => {
                assert!(result.unwrap() > 0);
                results += 1;
            }
            Event::Released { mut buf, .. } => buf.fill(0xee),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    let stats = ring.send_stats(socket).unwrap();
    assert_eq!((stats.totals.sends, stats.totals.not_sent), (SENDS, 0));
    assert_eq!(ring.strays(), Strays::default());
    drop(ring);
    assert_eq!(reader.join().unwrap(), (u64::try_from(bytes).unwrap(), 0));
}

#[rstest]
fn a_hole_gives_up_what_waits_behind_it(
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    let (near, far) = tcp();
    SockRef::from(&near).set_send_buffer_size(1 << 16).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(4, 1 << 22).unwrap();
    let socket = ring.add(near.try_clone().unwrap()).unwrap();
    let tickets: Vec<_> = std::iter::from_fn(|| pool.take())
        .map(|buf| ring.send(socket, buf, policy).unwrap())
        .collect();
    let told = ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    assert_eq!(told, 0);
    // The first has begun, and finds no room for its rest.
    near.shutdown(Shutdown::Write).unwrap();
    let mut results = Vec::new();
    while results.len() < 4 {
        ring.poll(LIMIT, |event| {
            if let Event::Sent { ticket, result, .. } = event {
                results.push((
                    ticket,
                    result.map_err(|error| error.raw_os_error().unwrap()),
                ));
            }
        })
        .unwrap();
    }
    let order: Vec<_> = results.iter().map(|result| result.0).collect();
    assert_eq!(order, tickets);
    assert!(matches!(results[0].1, Ok(1..0x40_0000)), "{results:?}");
    assert!(
        results[1..].iter().all(|result| result.1 == Err(125)),
        "ECANCELED: {results:?}"
    );
    // New sends are tried.
    drop(far);
    while pool.outstanding() > 0 {
        ring.poll(LIMIT, |_| ()).unwrap();
    }
    ring.send(socket, pool.take().unwrap(), policy).unwrap();
    let told = super::finish(&mut ring);
    let errno = told.result.unwrap_err().raw_os_error();
    assert!(
        matches!(errno, Some(32 | 104)),
        "EPIPE, or ECONNRESET: {errno:?}"
    );
}

#[test]
fn what_waits_can_be_cancelled() {
    let (near, far) = tcp();
    SockRef::from(&near).set_send_buffer_size(1 << 16).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(3, 1 << 21).unwrap();
    let socket = ring.add(near).unwrap();
    let mut stream = Stream { at: 0 };
    let mut fill = |mut buf: TxBuf, is_kept: bool| {
        if is_kept {
            stream.fill(&mut buf);
        }
        buf
    };
    let bufs = [true, false, true].map(|is_kept| fill(pool.take().unwrap(), is_kept));
    let tickets = bufs.map(|buf| ring.send(socket, buf, ZcPolicy::Never).unwrap());
    ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    ring.cancel(tickets[1]).unwrap();
    let mut results = Vec::new();
    let reader = reader(far);
    while results.len() < 3 {
        ring.poll(LIMIT, |event| {
            if let Event::Sent { ticket, result, .. } = event {
                results.push((
                    ticket,
                    result.map_err(|error| error.raw_os_error().unwrap()),
                ));
            }
        })
        .unwrap();
    }
    let all = 1 << 21;
    assert_eq!(
        results,
        [
            (tickets[1], Err(125)),
            (tickets[0], Ok(all)),
            (tickets[2], Ok(all))
        ]
    );
    drop(ring);
    assert_eq!(reader.join().unwrap(), (2 << 21, 0));
}

#[test]
fn a_removed_stream_gives_up_what_waits() {
    let (near, far) = tcp();
    SockRef::from(&near).set_send_buffer_size(1 << 16).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(3, 1 << 21).unwrap();
    let socket = ring.add(near).unwrap();
    let mut stream = Stream { at: 0 };
    for _ in 0..3 {
        let mut buf = pool.take().unwrap();
        stream.fill(&mut buf);
        ring.send(socket, buf, ZcPolicy::Always).unwrap();
    }
    let fd = ring.remove(socket).unwrap();
    let reader = reader(far);
    let mut results = Vec::new();
    while pool.outstanding() > 0 {
        ring.poll(LIMIT, |event| {
            if let Event::Sent { result, .. } = event {
                results.push(result.map_err(|error| error.raw_os_error().unwrap()));
            }
        })
        .unwrap();
    }
    assert_eq!(results, [Err(125), Err(125), Ok(1 << 21)], "ECANCELED");
    drop(fd);
    assert_eq!(reader.join().unwrap(), (1 << 21, 0));
}

#[test]
fn sends_queued_before_a_refusal_arrive_in_order() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(20, 1000).unwrap();
    let socket = ring.add(near).unwrap();
    let (mut stream, mut bytes) = (Stream { at: 0 }, vec![0; 20_000]);
    for _ in 0..20 {
        let mut buf = pool.take().unwrap();
        stream.fill(&mut buf);
        ring.send(socket, buf, ZcPolicy::Always).unwrap();
    }
    while pool.outstanding() > 0 {
        ring.poll(LIMIT, |event| match event {
            Event::Sent { result, .. } => assert_eq!(result.unwrap(), 1000),
            Event::Released { usage, .. } => assert_eq!(usage, Usage::Copied),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    far.read_exact(&mut bytes).unwrap();
    let is_right = |at| bytes[at] == Stream::byte(u64::try_from(at).unwrap());
    assert!((0..bytes.len()).all(is_right));
    assert_eq!(ring.strays(), Strays::default());
}
