//! What a ring says when something runs out, and that nothing is lost by it.
#![cfg(feature = "ring")]
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use again::limited;
use netprims::Error;
use netprims::ring::{
    Event, Refusal, Ring, Rung, RxPlan, Shortage, Strays, TxPool, Usage, Wait, Wanted, WhyNot,
    ZcPolicy,
};
use rstest::rstest;
use socket2::SockRef;
use sys::unprivileged::become_nobody;

mod again;
#[expect(unsafe_code, reason = "a thread without privilege")]
mod sys {
    pub(crate) mod unprivileged;
}

const PATIENCE: Duration = Duration::from_secs(60);
const LIMIT: Wait = Wait::AtMost(PATIENCE);

/// On a thread of nobody's: root has CAP_IPC_LOCK.
fn without_privilege(body: impl FnOnce() + Send + 'static) {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let thread = std::thread::spawn(move || {
        if is_root {
            become_nobody().unwrap();
        }
        body();
    });
    thread.join().unwrap();
}

fn udp() -> (UdpSocket, UdpSocket) {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    (near, far)
}

/// Sends five bytes and has the buffer back.
fn sends(ring: &mut Ring, pool: &TxPool) {
    let (near, far) = udp();
    let socket = ring.add(near).unwrap();
    let mut buf = pool.take().unwrap();
    buf.set_len(5).unwrap();
    buf.copy_from_slice(b"hello");
    ring.send(socket, buf, ZcPolicy::Always).unwrap();
    while ring.in_flight() > 0 {
        assert!(ring.poll(LIMIT, |_| ()).unwrap() > 0);
    }
    let mut bytes = [0; 8];
    assert_eq!(far.recv(&mut bytes).unwrap(), 5);
    drop(ring.remove(socket).unwrap());
}

#[test]
fn a_pool_beyond_the_limit_on_locked_memory_names_it_and_the_ring_goes_on() {
    let test = "a_pool_beyond_the_limit_on_locked_memory_names_it_and_the_ring_goes_on";
    limited("--memlock=65536", test, || {
        without_privilege(|| {
            let mut ring = Ring::builder().in_flight(8).build().unwrap();
            let error = ring.tx_pool(16, 8192).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(12));
            let text = error.to_string();
            assert!(text.contains("a pool of 131072 bytes"), "{text}");
            assert!(text.contains("raise RLIMIT_MEMLOCK"), "{text}");
            let pool = ring.tx_pool(1, 4096).unwrap();
            sends(&mut ring, &pool);
        });
    });
}

/// Whether a ring's own memory counts as locked differs between kernels.
#[test]
fn a_ring_beyond_the_limit_on_locked_memory_names_it() {
    let test = "a_ring_beyond_the_limit_on_locked_memory_names_it";
    limited("--memlock=65536", test, || {
        without_privilege(|| {
            let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
            let built = Ring::builder().in_flight(32_768).build().map(drop);
            let error = match built {
                Ok(()) => {
                    assert!(!release.starts_with("6.18."), "{release} counts it");
                    return;
                }
                Err(error) => error,
            };
            let does_not_count = ["6.1.", "6.12.", "7.2."];
            let is_one = does_not_count.iter().any(|it| release.starts_with(it));
            assert!(!is_one, "{release}: {error}");
            let Error::RingRefused {
                operation,
                refusal: Refusal::Limit { shortage, .. },
            } = &error
            else {
                panic!("{error}")
            };
            assert_eq!(
                (*operation, *shortage),
                ("io_uring_setup", Shortage::LockedMemory)
            );
            assert_eq!(error.raw_os_error(), Some(12));
            assert!(
                error.to_string().contains("raise RLIMIT_MEMLOCK"),
                "{error}"
            );
            // Fewer are fine.
            Ring::builder().in_flight(64).build().unwrap();
        });
    });
}

#[test]
fn an_accept_without_a_descriptor_ends_and_the_connection_is_accepted_later() {
    let test = "an_accept_without_a_descriptor_ends_and_the_connection_is_accepted_later";
    limited("--nofile=64", test, || {
        let mut ring = Ring::builder().in_flight(8).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let listener = ring.add(listener).unwrap();
        let mut files: Vec<File> = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        let ticket = ring.accept(listener).unwrap();
        let mut ended = None;
        ring.poll(LIMIT, |event| match event {
            Event::AcceptEnded { ticket, error, .. } => ended = Some((ticket, error)),
            other => panic!("{other:?}"),
        })
        .unwrap();
        let (told, error) = ended.unwrap();
        assert_eq!((told, error.raw_os_error()), (ticket, Some(libc::EMFILE)));
        assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
        // Older kernels (6.1) take one for the next connection before it comes.
        files.truncate(files.len() - 2);
        ring.accept(listener).unwrap();
        let mut accepted = None;
        ring.poll(LIMIT, |event| match event {
            Event::Accepted { fd, .. } => accepted = Some(TcpStream::from(fd)),
            other => panic!("{other:?}"),
        })
        .unwrap();
        let peer = accepted.unwrap().peer_addr().unwrap();
        assert_eq!(peer, near.local_addr().unwrap(), "the one that waited");
    });
}

#[test]
fn no_descriptor_for_a_ring_names_the_limit_and_a_ring_that_is_there_goes_on() {
    let test = "no_descriptor_for_a_ring_names_the_limit_and_a_ring_that_is_there_goes_on";
    limited("--nofile=32", test, || {
        let (near, far) = udp();
        let mut ring = Ring::builder().build().unwrap();
        let mut taken: Vec<File> = Vec::new();
        taken.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
        let error = Ring::builder().build().map(drop).unwrap_err();
        let Error::RingRefused {
            refusal: Refusal::Limit { shortage, .. },
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(*shortage, Shortage::Descriptors);
        assert_eq!(error.raw_os_error(), Some(24));
        assert!(error.to_string().contains("raise RLIMIT_NOFILE"), "{error}");
        // None of this takes a descriptor.
        let pool = ring.tx_pool(1, 4096).unwrap();
        let socket = ring.add(near).unwrap();
        ring.send(socket, pool.take().unwrap(), ZcPolicy::Always)
            .unwrap();
        while ring.in_flight() > 0 {
            assert!(ring.poll(LIMIT, |_| ()).unwrap() > 0);
        }
        let mut bytes = [1; 4097];
        assert_eq!(far.recv(&mut bytes).unwrap(), 4096);
        // One descriptor is enough for a ring.
        taken.pop();
        Ring::builder().build().unwrap();
    });
}

/// More than the queue holds: what does not fit is given back, and what did is sent, in order.
#[rstest]
fn a_full_queue_gives_the_buffer_back_and_loses_nothing(
    #[values(1, 3, 8)] in_flight: u32,
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    let (near, far) = udp();
    let mut ring = Ring::builder().in_flight(in_flight).build().unwrap();
    let pool = ring.tx_pool(in_flight + 1, 64).unwrap();
    let socket = ring.add(near).unwrap();
    let mut number = 0_u64;
    for _ in 0..20 {
        for _ in 0..in_flight {
            let mut buf = pool.take().unwrap();
            buf.set_len(8).unwrap();
            buf.copy_from_slice(&number.to_le_bytes());
            ring.send(socket, buf, policy).unwrap();
            number += 1;
        }
        let mut buf = pool.take().unwrap();
        buf.fill(0xff);
        let rejected = ring.send(socket, buf, policy).unwrap_err();
        assert!(matches!(rejected.error, Error::RingFull), "{rejected}");
        assert!(
            rejected.error.to_string().contains("in_flight"),
            "{rejected}"
        );
        assert!(rejected.buf.iter().all(|byte| *byte == 0xff));
        drop(rejected);
        let (mut sent, mut released) = (0, 0);
        while ring.in_flight() > 0 {
            let events = ring.poll(LIMIT, |event| match event {
                Event::Sent { result, .. } => {
                    assert_eq!(result.unwrap(), 8);
                    sent += 1;
                }
                Event::Released { .. } => released += 1,
                other => panic!("{other:?}"),
            });
            assert!(events.unwrap() > 0);
        }
        assert_eq!((sent, released), (in_flight, in_flight));
        for want in number - u64::from(in_flight)..number {
            let mut bytes = [0; 9];
            assert_eq!(far.recv(&mut bytes).unwrap(), 8);
            assert_eq!(bytes[..8], want.to_le_bytes());
        }
    }
    assert_eq!((ring.strays(), pool.outstanding()), (Strays::default(), 0));
}

/// The peer reads nothing, and all the ring can have in flight is.
#[rstest]
fn with_everything_in_flight_the_ring_is_full_until_the_peer_reads(
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    const LEN: u32 = 1 << 20;
    const SENDS: u32 = 4;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut far = listener.accept().unwrap().0;
    SockRef::from(&near).set_send_buffer_size(1 << 16).unwrap();
    let mut ring = Ring::builder().in_flight(SENDS).build().unwrap();
    let pool = ring.tx_pool(SENDS + 1, 4 * LEN).unwrap();
    let socket = ring.add(near).unwrap();
    for _ in 0..SENDS {
        let mut buf = pool.take().unwrap();
        buf.fill(5);
        ring.send(socket, buf, policy).unwrap();
    }
    assert_eq!(
        ring.poll(Wait::AtMost(Duration::from_millis(50)), |_| ())
            .unwrap(),
        0
    );
    let rejected = ring.send(socket, pool.take().unwrap(), policy).unwrap_err();
    assert!(matches!(rejected.error, Error::RingFull), "{rejected}");
    let last = rejected.buf;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let (mut taken, mut copied) = (0, 0);
    while ring.in_flight() > 0 {
        let events = ring.poll(LIMIT, |event| match event {
            Event::Sent { result, .. } => taken += result.unwrap(),
            Event::Released { usage, .. } => copied += u32::from(usage == Usage::Copied),
            other => panic!("{other:?}"),
        });
        assert!(events.unwrap() > 0, "the peer reads");
    }
    let all = usize::try_from(SENDS * 4 * LEN).unwrap();
    assert_eq!((taken, copied), (all, SENDS));
    // There is room again.
    ring.send(socket, last, policy).unwrap();
    drop(ring);
    let bytes = reader.join().unwrap();
    assert!(bytes.len() >= all && bytes[..all].iter().all(|byte| *byte == 5));
}

/// The ring of a pool's slots may count as locked: then the pool does without, says why, and receives.
#[test]
fn a_pool_to_receive_into_beyond_the_limit_on_locked_memory_steps_down_and_says_why() {
    let test = "a_pool_to_receive_into_beyond_the_limit_on_locked_memory_steps_down_and_says_why";
    limited("--memlock=65536", test, || {
        without_privilege(|| {
            let mut ring = Ring::builder().in_flight(8).build().unwrap();
            let pool = ring.rx_pool(&RxPlan::new(32_768, 64)).unwrap();
            if pool.report().rung == Rung::Plain {
                let why = pool.report().why_not(Wanted::Multishot).unwrap();
                assert!(matches!(why, WhyNot::Refused { errno: 12, .. }), "{why}");
                assert!(why.to_string().contains("RLIMIT_MEMLOCK"), "{why}");
            }
            println!("{}", pool.report());
            let (near, far) = udp();
            far.connect(near.local_addr().unwrap()).unwrap();
            let socket = ring.add(near).unwrap();
            ring.receive(socket, &pool).unwrap();
            far.send(b"hello").unwrap();
            let mut got = Vec::new();
            while got.is_empty() {
                let events = ring.poll(LIMIT, |event| match event {
                    Event::Received { chunk, .. } => got.extend_from_slice(&chunk),
                    other => panic!("{other:?}"),
                });
                assert!(events.unwrap() > 0);
            }
            assert_eq!(got, b"hello");
        });
    });
}

/// A connection for which there is no descriptor waits, and the accept says so.
#[test]
fn an_accept_without_descriptors_ends_and_no_connection_is_lost() {
    let test = "an_accept_without_descriptors_ends_and_no_connection_is_lost";
    limited("--nofile=32", test, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut ring = Ring::builder().build().unwrap();
        let listener = ring.add(listener).unwrap();
        let accept = ring.accept(listener).unwrap();
        let mut taken: Vec<File> = Vec::new();
        taken.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
        let mut errors = Vec::new();
        while errors.is_empty() {
            let events = ring.poll(LIMIT, |event| match event {
                Event::AcceptEnded { ticket, error, .. } => errors.push((ticket, error)),
                other => panic!("{other:?}"),
            });
            assert!(events.unwrap() > 0);
        }
        let (ticket, error) = errors.pop().unwrap();
        assert_eq!((ticket, error.raw_os_error()), (accept, Some(24)));
        // Older kernels (6.1) take one for the next connection before it comes.
        taken.truncate(taken.len() - 2);
        ring.accept(listener).unwrap();
        let mut accepted = None;
        while accepted.is_none() {
            let events = ring.poll(LIMIT, |event| match event {
                Event::Accepted { fd, .. } => accepted = Some(TcpStream::from(fd)),
                other => panic!("{other:?}"),
            });
            assert!(events.unwrap() > 0);
        }
        let peer = accepted.unwrap().peer_addr().unwrap();
        assert_eq!(peer, near.local_addr().unwrap());
    });
}

/// The completion queue has room for eight; what does not fit is told all the same: of datagrams that come, sends that
/// are done, and buffers that are back.
#[rstest]
fn a_completion_queue_that_overflows_loses_nothing_of_anything(
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    const ROUNDS: u8 = 20;
    const DATAGRAMS: u8 = 60;
    let (near, far) = udp();
    far.connect(near.local_addr().unwrap()).unwrap();
    let mut ring = Ring::builder().in_flight(4).build().unwrap();
    let tx = ring.tx_pool(3, 64).unwrap();
    let rx = ring.rx_pool(&RxPlan::new(128, 16)).unwrap();
    let socket = ring.add(near).unwrap();
    let receive = ring.receive(socket, &rx).unwrap();
    ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    for round in 0..ROUNDS {
        for number in 0..DATAGRAMS {
            far.send(&[round, number]).unwrap();
        }
        for number in 0..3 {
            let mut buf = tx.take().unwrap();
            buf.fill(number);
            ring.send(socket, buf, policy).unwrap();
        }
        let (mut got, mut sent, mut released) = (Vec::new(), 0, 0);
        while got.len() < usize::from(DATAGRAMS) || released < 3 {
            let events = ring.poll(LIMIT, |event| match event {
                Event::Received { ticket, chunk, .. } => {
                    assert_eq!(ticket, receive);
                    got.push(chunk.to_vec());
                }
                Event::Sent { result, .. } => {
                    assert_eq!(result.unwrap(), 64);
                    sent += 1;
                }
                Event::Released { .. } => released += 1,
                other => panic!("{other:?}"),
            });
            assert!(events.unwrap() > 0, "{} datagrams, {sent} sent", got.len());
        }
        let want = (0..DATAGRAMS).map(|number| vec![round, number]);
        assert!(got.into_iter().eq(want), "in order, each once");
        assert_eq!((sent, released), (3, 3));
        let mut bytes = [0; 65];
        for number in 0..3 {
            assert_eq!(far.recv(&mut bytes).unwrap(), 64);
            assert!(bytes[..64].iter().all(|byte| *byte == number));
        }
    }
    assert_eq!((ring.strays(), tx.outstanding()), (Strays::default(), 0));
    if rx.report().rung == Rung::Multishot {
        assert!(rx.stats().rearmed > 0, "it never overflowed: no test");
    }
}
