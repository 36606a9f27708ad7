//! The ring on this kernel: usage, errors, and every order of going away.
#![cfg(feature = "ring")]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::fs::File;
use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use netprims::Error;
use netprims::ring::{
    Event, Rejected, Ring, Socket, Strays, TxBuf, TxPool, Usage, Wait, ZcPolicy, leaked_bytes,
};
use rstest::rstest;
use socket2::SockRef;

/// How long anything may take before that is an error. Long: a machine under load is no defect.
const PATIENCE: Duration = Duration::from_secs(60);
const LIMIT: Wait = Wait::AtMost(PATIENCE);

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn udp() -> (UdpSocket, UdpSocket) {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    (near, far)
}

/// A send's result and what came back with its release.
struct Told {
    result: io::Result<usize>,
    buf: TxBuf,
    usage: Usage,
}

/// Polls until a single send has told everything.
fn finish(ring: &mut Ring) -> Told {
    let (mut sent, mut released) = (None, None);
    let deadline = Instant::now() + PATIENCE;
    while released.is_none() {
        assert!(Instant::now() < deadline, "the send never finished");
        ring.poll(LIMIT, |event| match event {
            Event::Sent { result, .. } => assert!(sent.replace(result).is_none(), "sent twice"),
            Event::Released { buf, usage, .. } => assert!(released.replace((buf, usage)).is_none()),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    let (buf, usage) = released.unwrap();
    Told {
        result: sent.expect("sent comes before released"),
        buf,
        usage,
    }
}

fn send(ring: &mut Ring, pool: &TxPool, socket: Socket, text: &[u8], policy: ZcPolicy) -> Told {
    let mut buf = pool.take().unwrap();
    buf.set_len(text.len()).unwrap();
    buf.copy_from_slice(text);
    ring.send(socket, buf, policy).unwrap();
    finish(ring)
}

#[rstest]
#[case(ZcPolicy::Always)]
#[case(ZcPolicy::Never)]
fn tcp_over_loopback_is_all_copied(#[case] policy: ZcPolicy) {
    const LEN: u32 = 40_000;
    let len = usize::try_from(LEN).unwrap();
    let (near, mut far) = tcp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(8, LEN).unwrap();
    let socket = ring.add(near).unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).map(|_| bytes).unwrap()
    });
    let mut sent = Vec::new();
    for round in 0..50_u8 {
        let text: Vec<_> = (0..len).map(|at| round ^ at.to_le_bytes()[0]).collect();
        let told = send(&mut ring, &pool, socket, &text, policy);
        assert_eq!((told.result.unwrap(), told.usage), (len, Usage::Copied));
        sent.extend(text);
    }
    let totals = ring.totals();
    assert_eq!((totals.sends, totals.copied), (50, 50 * u64::from(LEN)));
    assert_eq!(
        (totals.zero_copied, totals.not_sent, totals.unknown),
        (0, 0, 0)
    );
    assert_eq!(ring.strays(), Strays::default());
    drop(ring);
    assert!(
        reader.join().unwrap() == sent,
        "the receiver has what was sent"
    );
}

#[rstest]
fn a_full_stream_takes_the_whole_buffer_in_the_end(
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    // More than both ends hold. The receiver's buffer is left to grow as it reads: a small one makes the sender wait for
    // the persist timer again and again.
    const LEN: u32 = 1 << 22;
    let (near, mut far) = tcp();
    SockRef::from(&near).set_send_buffer_size(1 << 16).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(1, LEN).unwrap();
    let socket = ring.add(near).unwrap();
    ring.send(socket, pool.take().unwrap(), policy).unwrap();
    let early = ring
        .poll(Wait::AtMost(Duration::from_millis(50)), |_| ())
        .unwrap();
    assert_eq!(early, 0, "the stream took it all at once: no test");
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).unwrap()
    });
    let len = usize::try_from(LEN).unwrap();
    assert_eq!(finish(&mut ring).result.unwrap(), len);
    drop(ring);
    assert_eq!(reader.join().unwrap(), len);
}

#[test]
fn the_buffer_comes_back_as_it_was_sent() {
    let (near, _far) = udp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(1, 100).unwrap();
    let socket = ring.add(near).unwrap();
    let told = send(&mut ring, &pool, socket, b"hello", ZcPolicy::Always);
    assert_eq!(
        (told.result.unwrap(), &told.buf[..], told.buf.capacity()),
        (5, &b"hello"[..], 100)
    );
    assert!(pool.take().is_none(), "it is still out");
    drop(told.buf);
    assert!(pool.take().is_some());
}

/// A socket whose zero-copy send fails, and how.
fn failing(case: &str) -> OwnedFd {
    match case {
        "EPIPE" => {
            let (near, far) = tcp();
            near.shutdown(Shutdown::Write).unwrap();
            std::mem::forget(far);
            near.into()
        }
        "EMSGSIZE" => udp().0.into(),
        "EDESTADDRREQ" => UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        // A descriptor that stands for a path only is none the kernel sends to.
        "EBADF" => {
            let path = std::fs::OpenOptions::new()
                .read(true)
                .custom_flags(0o10000000)
                .open("/");
            path.unwrap().into()
        }
        "ENOTSOCK" => File::open("/dev/null").unwrap().into(),
        other => panic!("{other}"),
    }
}

#[rstest]
#[case("EPIPE", 32, 1000)]
#[case("EMSGSIZE", 90, 66_000)]
#[case("EDESTADDRREQ", 89, 1000)]
#[case("EBADF", 9, 1000)]
#[case("ENOTSOCK", 88, 1000)]
fn a_failed_send_returns_the_buffer_and_counts_as_not_sent(
    #[case] case: &str,
    #[case] errno: i32,
    #[case] len: u32,
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    let text = vec![7; usize::try_from(len).unwrap()];
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(1, len).unwrap();
    let socket = ring.add(failing(case)).unwrap();
    for round in 1..4 {
        let told = send(&mut ring, &pool, socket, &text, policy);
        assert_eq!(told.result.unwrap_err().raw_os_error(), Some(errno));
        assert_eq!((told.usage, told.buf.len()), (Usage::NotSent, text.len()));
        assert_eq!(ring.totals().not_sent, round * u64::from(len));
    }
    assert_eq!((ring.totals().copied, ring.totals().zero_copied), (0, 0));
    assert_eq!((ring.strays(), ring.in_flight()), (Strays::default(), 0));
}

#[test]
fn a_unix_socket_is_sent_to_plainly_after_its_refusal() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(2, 100).unwrap();
    let socket = ring.add(near).unwrap();
    assert!(!ring.is_plain_only(socket).unwrap());
    for _ in 0..3 {
        let told = send(&mut ring, &pool, socket, b"hello", ZcPolicy::Always);
        assert_eq!((told.result.unwrap(), told.usage), (5, Usage::Copied));
        assert!(ring.is_plain_only(socket).unwrap());
    }
    let mut bytes = [0; 15];
    far.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hellohellohello");
    // Another socket is asked anew.
    let other = ring.add(tcp().0).unwrap();
    assert!(!ring.is_plain_only(other).unwrap());
}

#[test]
fn rejected_sends_give_the_buffer_back() {
    let mut ring = Ring::builder().in_flight(1).build().unwrap();
    let mut other = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(2, 8).unwrap();
    let socket = ring.add(udp().0).unwrap();
    let removed = ring.add(udp().0).unwrap();
    drop(ring.remove(removed).unwrap());

    let reject = |ring: &mut Ring, socket, buf| -> Rejected {
        ring.send(socket, buf, ZcPolicy::Always).unwrap_err()
    };
    let mut buf = pool.take().unwrap();
    buf.fill(9);
    let rejected = reject(&mut ring, removed, buf);
    assert!(matches!(rejected.error, Error::UnknownSocket));
    let rejected = reject(&mut other, socket, rejected.buf);
    assert!(
        matches!(rejected.error, Error::UnknownSocket),
        "another ring's handle"
    );
    let theirs = other.add(udp().0).unwrap();
    let rejected = reject(&mut other, theirs, rejected.buf);
    assert!(matches!(rejected.error, Error::ForeignBuffer));
    ring.send(socket, pool.take().unwrap(), ZcPolicy::Always)
        .unwrap();
    let rejected = reject(&mut ring, socket, rejected.buf);
    assert!(matches!(rejected.error, Error::RingFull));
    assert_eq!(&rejected.buf[..], [9; 8], "unchanged");
    assert!(matches!(ring.remove(removed), Err(Error::UnknownSocket)));
    assert!(matches!(other.remove(socket), Err(Error::UnknownSocket)));
}

#[test]
fn a_removed_sockets_number_is_not_sent_to_by_what_was_queued() {
    // Tests on other threads open descriptors too and may take the number first: then once more.
    let reused = (0..1000).any(|_| a_queued_send_survives_the_reuse_of_its_sockets_number());
    assert!(reused, "the number was never used again: no test");
}

/// Whether the number was used again.
fn a_queued_send_survives_the_reuse_of_its_sockets_number() -> bool {
    let (near, mut far) = tcp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(1, 5).unwrap();
    let socket = ring.add(near).unwrap();
    let mut buf = pool.take().unwrap();
    buf.copy_from_slice(b"first");
    ring.send(socket, buf, ZcPolicy::Always).unwrap();
    let fd = ring.remove(socket).unwrap();
    let number = fd.as_raw_fd();
    drop(fd);
    // Whoever opens next gets the number; the queued send must not go there.
    let (thief, mut peer) = UnixStream::pair().unwrap();
    let reused = thief.as_raw_fd() == number;
    finish(&mut ring).result.unwrap();
    let mut bytes = [0; 5];
    far.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"first");
    drop(thief);
    assert_eq!(
        peer.read(&mut bytes).unwrap(),
        0,
        "nothing went to the number's new owner"
    );
    reused
}

#[rstest]
#[case(0, 8)]
#[case(8, 0)]
#[case(3, 1 << 30)]
fn an_impossible_pool_is_refused(#[case] slots: u32, #[case] slot_len: u32) {
    let mut ring = Ring::builder().build().unwrap();
    assert!(matches!(
        ring.tx_pool(slots, slot_len),
        Err(Error::InvalidValue { .. })
    ));
}

#[rstest]
#[case(0)]
#[case(32_769)]
#[case(u32::MAX)]
fn an_impossible_ring_is_refused(#[case] in_flight: u32) {
    let built = Ring::builder().in_flight(in_flight).build();
    assert!(matches!(built, Err(Error::InvalidValue { .. })));
}

#[test]
fn the_largest_ring_can_be_built() {
    Ring::builder().in_flight(32_768).build().unwrap();
}

#[test]
fn a_length_beyond_the_slot_is_refused() {
    let mut ring = Ring::builder().build().unwrap();
    let mut buf = ring.tx_pool(1, 8).unwrap().take().unwrap();
    assert!(buf.set_len(9).is_err());
    assert_eq!(buf.len(), 8);
}

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
fn nothing_in_flight_does_not_shorten_a_wait() {
    let mut ring = Ring::builder().build().unwrap();
    let (start, limit) = (Instant::now(), Duration::from_millis(30));
    assert_eq!(ring.poll(Wait::AtMost(limit), |_| ()).unwrap(), 0);
    assert!(start.elapsed() >= limit);
    assert_eq!(ring.poll(Wait::Forever, |_| ()).unwrap(), 0);
}

#[test]
fn an_empty_send_is_not_sent() {
    let (near, _far) = udp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(1, 8).unwrap();
    let socket = ring.add(near).unwrap();
    for policy in [ZcPolicy::Always, ZcPolicy::Never] {
        let told = send(&mut ring, &pool, socket, b"", policy);
        assert_eq!((told.result.unwrap(), told.usage), (0, Usage::NotSent));
    }
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

#[test]
fn buffers_are_filled_on_other_threads() {
    let (near, far) = udp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(2, 64).unwrap();
    let socket = ring.add(near).unwrap();
    let worker = {
        let pool = pool.clone();
        std::thread::spawn(move || {
            let mut buf = pool.take().unwrap();
            buf.fill(42);
            buf
        })
    };
    ring.send(socket, worker.join().unwrap(), ZcPolicy::Always)
        .unwrap();
    let told = finish(&mut ring);
    std::thread::spawn(move || drop(told.buf)).join().unwrap();
    let mut bytes = [0; 64];
    assert_eq!(far.recv(&mut bytes).unwrap(), 64);
    assert_eq!(bytes, [42; 64]);
}
