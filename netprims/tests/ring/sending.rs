//! Sends: results, usage, errors, order.

use std::fs::File;
use std::io::Read;
use std::net::{Shutdown, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use netprims::ring::{Ring, Strays, Usage, Wait, ZcPolicy};
use rstest::rstest;
use socket2::SockRef;

use super::{finish, send, tcp, udp};

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
