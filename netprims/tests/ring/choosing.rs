//! What a ring can be built with.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use netprims::ring::{BusyPoll, Event, Ring, SqPoll, Strays, Wait, ZcPolicy};
use nix::sys::resource::{Resource, getrlimit};
use rstest::rstest;

use super::{Kind, LIMIT, send, tcp, udp};

#[rstest]
fn bytes_are_sent(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    let (near, mut far) = tcp();
    let mut ring = kind.builder().build().unwrap();
    let pool = ring.tx_pool(1, 100).unwrap();
    let socket = ring.add(near).unwrap();
    assert_eq!(ring.is_registered(socket).unwrap(), kind == Kind::Files);
    for _ in 0..20 {
        let told = send(&mut ring, &pool, socket, b"hello", policy);
        assert_eq!(told.result.unwrap(), 5);
        far.read_exact(&mut [0; 5]).unwrap();
    }
    drop(ring.remove(socket).unwrap());
    assert_eq!(far.read(&mut [0]).unwrap(), 0, "it is closed");
    assert_eq!(ring.strays(), Strays::default());
}

#[rstest]
fn a_sleeping_thread_is_woken(#[values(0, 1)] idle: u64) {
    let idle = Duration::from_millis(idle);
    let mut ring = Ring::builder()
        .sqpoll(SqPoll { idle, cpu: Some(0) })
        .build()
        .unwrap();
    let capabilities = ring.capabilities();
    assert!(capabilities.queue_thread && !capabilities.deferred_work);
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        ring.timeout(Duration::ZERO).unwrap();
        let mut told = 0;
        while told == 0 {
            told = ring
                .poll(LIMIT, |event| {
                    assert!(matches!(event, Event::TimedOut { result: Ok(()), .. }));
                })
                .unwrap();
        }
    }
}

#[test]
fn a_removed_socket_is_not_named_by_what_a_thread_has_yet_to_take() {
    let mut ring = Kind::Thread.builder().build().unwrap();
    let pool = ring.tx_pool(64, 1).unwrap();
    for round in 0..200 {
        let (near, mut far) = tcp();
        let socket = ring.add(near).unwrap();
        let buf = pool.take().unwrap();
        ring.send(socket, buf, ZcPolicy::Never).unwrap();
        // Whoever opens next may get the number.
        drop(ring.remove(socket).unwrap());
        let (thief, mut peer) = tcp();
        assert_eq!(far.read(&mut [0; 2]).unwrap(), 1, "in round {round}");
        drop(thief);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        ring.poll(Wait::No, |_| ()).unwrap();
    }
}

#[test]
fn a_thread_on_a_cpu_that_is_not_there_is_refused_as_that() {
    let thread = SqPoll {
        idle: Duration::from_millis(1),
        cpu: Some(100_000),
    };
    let error = Ring::builder().sqpoll(thread).build().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    let text = error.to_string();
    assert!(text.contains("SQPOLL") && text.contains("online"), "{text}");
}

#[test]
fn sockets_beyond_the_table_work_by_number() {
    let mut ring = Ring::builder().registered_files(2).build().unwrap();
    let pool = ring.tx_pool(1, 8).unwrap();
    let mut far = Vec::new();
    let sockets: Vec<_> = (0..4)
        .map(|_| {
            let (near, peer) = tcp();
            far.push(peer);
            ring.add(near).unwrap()
        })
        .collect();
    let registered: Vec<_> = sockets
        .iter()
        .map(|socket| ring.is_registered(*socket).unwrap())
        .collect();
    assert_eq!(registered, [true, true, false, false]);
    for (socket, far) in sockets.iter().zip(&mut far) {
        send(&mut ring, &pool, *socket, b"x", ZcPolicy::Always);
        far.read_exact(&mut [0]).unwrap();
    }
    // A place is used again, and what was in it is not.
    drop(ring.remove(sockets[0]).unwrap());
    assert_eq!(far[0].read(&mut [0]).unwrap(), 0);
    let (near, mut peer) = tcp();
    let socket = ring.add(near).unwrap();
    assert!(ring.is_registered(socket).unwrap());
    send(&mut ring, &pool, socket, b"x", ZcPolicy::Never);
    peer.read_exact(&mut [0]).unwrap();
}

#[test]
fn what_cannot_be_registered_is_used_by_number() {
    let mut ring = Ring::builder().registered_files(2).build().unwrap();
    // A descriptor that stands for a path only.
    let path = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open("/");
    let socket = ring.add(path.unwrap()).unwrap();
    assert!(!ring.is_registered(socket).unwrap());
    let socket = ring.add(udp().0).unwrap();
    assert!(ring.is_registered(socket).unwrap());
}

#[test]
fn a_table_beyond_the_limit_is_refused_as_that() {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let beyond = u32::try_from(soft.min(1 << 20)).unwrap() + 1;
    let error = Ring::builder()
        .registered_files(beyond)
        .build()
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
}

#[test]
fn busy_polling_is_had_or_refused_and_never_ignored() {
    let can = Ring::builder().build().unwrap().capabilities().busy_poll;
    let busy_poll = BusyPoll {
        time: Duration::from_micros(50),
        prefer: true,
    };
    match Ring::builder().busy_poll(busy_poll).build() {
        Ok(mut ring) => {
            assert!(can && ring.capabilities().busy_poll);
            let (near, far) = udp();
            let pool = ring.tx_pool(1, 8).unwrap();
            let socket = ring.add(near).unwrap();
            send(&mut ring, &pool, socket, b"x", ZcPolicy::Never);
            assert_eq!(far.recv(&mut [0]).unwrap(), 1);
        }
        Err(error) => {
            assert!(!can, "{error}");
            let text = error.to_string();
            assert!(text.contains("NAPI") && text.contains("6.9"), "{text}");
        }
    }
}

#[test]
fn busy_polling_for_no_time_is_refused() {
    let busy_poll = BusyPoll {
        time: Duration::ZERO,
        prefer: false,
    };
    let refused = Ring::builder().busy_poll(busy_poll).build().unwrap_err();
    let text = refused.to_string();
    assert!(text.starts_with("busy_poll = 0: "), "{text}");
}

/// The release, as major and minor number.
fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn capabilities_are_those_of_the_release() {
    let has = Ring::builder().build().unwrap().capabilities();
    let kernel = kernel();
    let table = [
        ("zero_copy", has.zero_copy, (6, 0)),
        ("deferred_work", has.deferred_work, (6, 1)),
        ("zero_copy_messages", has.zero_copy_messages, (6, 1)),
        ("busy_poll", has.busy_poll, (6, 9)),
        ("bundles", has.bundles, (6, 10)),
        ("gather", has.gather, (6, 12)),
        ("incremental", has.incremental, (6, 12)),
        ("known", has.known.is_some(), (6, 18)),
    ];
    for (name, has, since) in table {
        assert_eq!(has, kernel >= since, "{name} on {kernel:?}");
    }
    // It can be left out of a kernel.
    assert!(!has.zero_copy_receive || kernel >= (6, 15));
    assert!(!has.queue_thread);
}

#[test]
fn what_the_kernel_says_of_itself_is_what_its_rings_have() {
    let has = Ring::builder().build().unwrap().capabilities();
    let Some(known) = has.known else {
        assert!(kernel() < (6, 18));
        return;
    };
    const IORING_OP_RECV_ZC: u32 = 58;
    const IORING_REGISTER_QUERY: u32 = 35;
    const IORING_SETUP_SQPOLL: u64 = 1 << 1;
    const IORING_SETUP_SINGLE_ISSUER: u64 = 1 << 12;
    const IORING_SETUP_DEFER_TASKRUN: u64 = 1 << 13;
    const IORING_FEAT_RECVSEND_BUNDLE: u64 = 1 << 14;
    const IORING_FEAT_MIN_TIMEOUT: u64 = 1 << 15;
    const IORING_ENTER_GETEVENTS: u64 = 1;
    const IOSQE_IO_LINK: u64 = 1 << 2;
    assert!(known.requests > IORING_OP_RECV_ZC, "{known:?}");
    assert!(known.registrations > IORING_REGISTER_QUERY, "{known:?}");
    let setup = IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    assert_eq!(known.setup_flags & setup, setup);
    let features = IORING_FEAT_RECVSEND_BUNDLE | IORING_FEAT_MIN_TIMEOUT;
    assert_eq!(known.features & features, features);
    assert!(has.bundles && has.gather);
    assert_ne!(known.enter_flags & IORING_ENTER_GETEVENTS, 0);
    assert_ne!(known.request_flags & IOSQE_IO_LINK, 0);
    assert!(known.queries >= 1);
}

#[rstest]
fn a_gathering_wait_tells_many_at_once(#[values(Kind::Plain, Kind::Thread)] kind: Kind) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut ring = kind.builder().build().unwrap();
    let socket = ring.add(listener).unwrap();
    ring.accept(socket).unwrap();
    ring.poll(Wait::No, |_| ()).unwrap();
    let connecting = std::thread::spawn(move || {
        let connect = |_| {
            std::thread::sleep(Duration::from_millis(5));
            TcpStream::connect(address).unwrap()
        };
        (0..4).map(connect).collect::<Vec<_>>()
    });
    let within = Duration::from_secs(60);
    let mut fds: Vec<OwnedFd> = Vec::new();
    let polled = ring.poll(
        Wait::Gather {
            events: 4,
            within,
            limit: within,
        },
        |event| match event {
            Event::Accepted { fd, .. } => fds.push(fd),
            other => panic!("{other:?}"),
        },
    );
    assert_eq!((polled.unwrap(), fds.len()), (4, 4), "in one poll");
    drop(connecting.join().unwrap());
}

#[test]
fn a_gathering_wait_does_not_wait_for_more_than_its_short_time() {
    let mut ring = Ring::builder().build().unwrap();
    let (short, long) = (Duration::from_millis(30), Duration::from_secs(600));
    let gather = Wait::Gather {
        events: 2,
        within: short,
        limit: long,
    };
    let start = Instant::now();
    ring.timeout(Duration::ZERO).unwrap();
    assert_eq!(ring.poll(gather, |_| ()).unwrap(), 1);
    assert!(start.elapsed() < long / 2);
    // One that comes after the short time ends the wait, too.
    ring.timeout(2 * short).unwrap();
    let start = Instant::now();
    assert_eq!(ring.poll(gather, |_| ()).unwrap(), 1);
    assert!(start.elapsed() >= 2 * short && start.elapsed() < long / 2);
    // With nothing to come it is the limit that ends it.
    let nothing = Wait::Gather {
        events: 2,
        within: short,
        limit: short,
    };
    let start = Instant::now();
    assert_eq!(ring.poll(nothing, |_| ()).unwrap(), 0);
    assert!(start.elapsed() >= short);
}
