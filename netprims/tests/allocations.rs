//! No allocation per operation in steady state.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use netprims::buffer::{TxBuf, TxPool};
use netprims::fd::MemFd;
use netprims::info::{MemInfo, TcpInfo, TcpState};
use netprims::transfer::{Relay, RelayTurn, SendFile, SendFileTurn};
use netprims::zerocopy::{self, Sent, ZeroCopyOptions};
use sys::counting_allocator::{Counting, allocations};

#[expect(unsafe_code, reason = "a counting allocator")]
mod sys {
    pub(crate) mod counting_allocator;
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_counter_counts() {
    let before = allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(allocations() - before, 1);
}

#[cfg(feature = "ring")]
#[test]
fn sending_allocates_nothing() {
    use netprims::ring::{Event, Ring, Wait, ZcPolicy};

    for policy in [ZcPolicy::Always, ZcPolicy::Never] {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        near.connect(far.local_addr().unwrap()).unwrap();
        let mut ring = Ring::builder().in_flight(8).build().unwrap();
        let pool = ring.tx_pool(8, 2048).unwrap();
        let socket = ring.add(near).unwrap();
        let mut back: Vec<TxBuf> = Vec::with_capacity(8);

        let before = allocations();
        let mut released = 0_u64;
        for round in 0..1000 {
            // Half of the buffers are kept and sent again, half go through the pool, and the last is one too many.
            for nth in 0..9 {
                let buf = if nth % 2 == 0 { back.pop() } else { None };
                let Some(mut buf) = buf.or_else(|| pool.take()) else {
                    continue;
                };
                buf.fill(1);
                if let Err(rejected) = ring.send(socket, buf, policy) {
                    drop(rejected);
                }
            }
            while ring.in_flight() > 0 {
                ring.poll(Wait::AtMost(Duration::from_secs(60)), |event| {
                    if let Event::Released { buf, .. } = event {
                        released += 1;
                        if round % 2 == 0 && back.len() < 4 {
                            back.push(buf);
                        }
                    }
                })
                .unwrap();
            }
        }
        assert_eq!(allocations() - before, 0, "{policy:?}");
        assert_eq!(released, 8000, "{policy:?}");
    }
}

#[cfg(feature = "ring")]
#[test]
fn receiving_allocates_nothing() {
    use netprims::ring::{Event, Ring, Rung, RxBuf, RxPlan, Wait};

    let plan = RxPlan::new(8, 512);
    let plans = [
        plan.clone().at_most(Rung::Plain),
        plan.clone().bundles(false),
        plan.clone(),
        plan.incremental(true),
    ];
    for plan in plans {
        let (near, far) = UnixStream::pair().unwrap();
        let mut ring = Ring::builder().in_flight(4).build().unwrap();
        let pool = ring.rx_pool(&plan).unwrap();
        let socket = ring.add(near).unwrap();
        ring.receive(socket, &pool).unwrap();
        let mut kept: Vec<RxBuf> = Vec::with_capacity(16);
        let bytes = [7; 6000];

        let before = allocations();
        let mut received = 0;
        for round in 0..1000 {
            // In some rounds all slots are kept until the ring is starved.
            let most = if round % 3 == 0 { 16 } else { 2 };
            (&far).write_all(&bytes).unwrap();
            let want = received + bytes.len();
            while received < want {
                let wait = Wait::AtMost(Duration::from_secs(60));
                let told = ring.poll(if kept.len() < 8 { wait } else { Wait::No }, |event| {
                    if let Event::Received { chunk, .. } = event {
                        received += chunk.len();
                        if kept.len() < most {
                            kept.push(chunk.detach());
                        }
                    }
                });
                if told.unwrap() == 0 {
                    kept.clear();
                }
            }
            kept.clear();
        }
        assert_eq!(allocations() - before, 0, "{plan:?}");
        assert!(pool.stats().starved > 0, "{plan:?}: {:?}", pool.stats());
    }
}

/// Both ways, with all that a datagram brings, and an answer to where it came from.
#[cfg(feature = "ring")]
#[test]
fn answering_datagrams_allocates_nothing() {
    use netprims::ring::{Address, Event, Ring, Rung, RxPlan, SendOptions, Wait, ZcPolicy};

    let plan = RxPlan::new(8, 2048).messages(true);
    for (plan, policy) in [
        (plan.clone().at_most(Rung::Plain), ZcPolicy::Never),
        (plan.clone(), ZcPolicy::Always),
        (plan, ZcPolicy::Never),
    ] {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = near.local_addr().unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        far.connect(server).unwrap();
        let mut ring = Ring::builder().in_flight(16).build().unwrap();
        let received = ring.rx_pool(&plan).unwrap();
        let sent = ring.tx_pool(8, 2048).unwrap();
        let socket = ring.add(near).unwrap();
        ring.receive(socket, &received).unwrap();
        let mut answers: Vec<(TxBuf, Address)> = Vec::with_capacity(8);
        let mut bytes = [7; 1400];
        let mut before = 0;
        for round in 0..1000 {
            if round == 2 {
                // The places for addresses are there.
                before = allocations();
            }
            for len in [0, 1, 1000, 1400] {
                far.send(&bytes[..len]).unwrap();
            }
            let mut told = 0;
            while told < 4 || ring.in_flight() > 1 {
                ring.poll(Wait::AtMost(Duration::from_secs(60)), |event| match event {
                    Event::Received { chunk, .. } => {
                        told += 1;
                        assert!(!chunk.is_cut());
                        assert_eq!(chunk.incoming().unwrap().datagrams().len(), 1);
                        let mut buf = sent.take().unwrap();
                        buf.set_len(chunk.len()).unwrap();
                        buf.copy_from_slice(&chunk);
                        answers.push((buf, chunk.source().unwrap()));
                    }
                    Event::Sent { result, .. } => drop(result.unwrap()),
                    _ => {}
                })
                .unwrap();
                for (buf, to) in answers.drain(..) {
                    // Cut into datagrams by a control message every other time.
                    let segment = if round % 2 == 0 { 0 } else { 1400 };
                    let options = SendOptions::new().policy(policy).segment(segment);
                    ring.send_to(socket, buf, to, options).unwrap();
                }
            }
            for len in [0, 1, 1000, 1400] {
                assert_eq!(far.recv(&mut bytes).unwrap(), len);
            }
        }
        assert_eq!(allocations() - before, 0, "{plan:?}");
    }
}

#[cfg(feature = "ring")]
#[test]
fn sending_on_a_stream_allocates_nothing() {
    use netprims::ring::{Event, Ring, Wait, ZcPolicy};

    for policy in [ZcPolicy::Always, ZcPolicy::Never, ZcPolicy::default()] {
        let (near, mut far) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut tcp_far = listener.accept().unwrap().0;
        let mut ring = Ring::builder().in_flight(32).build().unwrap();
        let pool = ring.tx_pool(32, 2048).unwrap();
        let sockets = [ring.add(near).unwrap(), ring.add(tcp).unwrap()];
        let mut bytes = vec![0; 16 * 2048];
        let mut bufs: Vec<TxBuf> = Vec::with_capacity(16);

        let before = allocations();
        let mut sent = 0_u64;
        for _ in 0..200 {
            for socket in sockets {
                // What waits goes together; then a message of several buffers.
                for _ in 0..11 {
                    ring.send(socket, pool.take().unwrap(), policy).unwrap();
                }
                bufs.extend((0..5).map(|_| pool.take().unwrap()));
                ring.send_vectored(socket, &mut bufs, policy).unwrap();
            }
            // What was read is acknowledged, and released.
            let results = sent + 2 * 12;
            let mut is_read = false;
            while ring.in_flight() > 0 {
                if sent == results && !is_read {
                    far.read_exact(&mut bytes).unwrap();
                    tcp_far.read_exact(&mut bytes).unwrap();
                    is_read = true;
                }
                ring.poll(Wait::AtMost(Duration::from_millis(1)), |event| {
                    if let Event::Sent { result, .. } = event {
                        assert!(result.unwrap() > 0);
                        sent += 1;
                    }
                })
                .unwrap();
            }
            if !is_read {
                far.read_exact(&mut bytes).unwrap();
                tcp_far.read_exact(&mut bytes).unwrap();
            }
        }
        assert_eq!(allocations() - before, 0, "{policy:?}");
        assert_eq!(sent, 200 * 2 * 12, "{policy:?}");
    }
}

#[cfg(feature = "ring")]
#[test]
fn connecting_and_accepting_allocate_nothing() {
    use netprims::ring::{Event, Ring, Wait};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut ring = Ring::builder()
        .in_flight(8)
        .registered_files(4)
        .build()
        .unwrap();
    let listener = ring.add(listener).unwrap();
    ring.accept(listener).unwrap();
    let patience = Duration::from_secs(60);
    let mut before = 0;
    for round in 0..1000 {
        if round == 2 {
            // The places for addresses and times are there.
            before = allocations();
        }
        let (domain, kind) = (socket2::Domain::IPV4, socket2::Type::STREAM);
        let socket = socket2::Socket::new(domain, kind, None).unwrap();
        // Reset at close: nothing is left in TIME_WAIT.
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        let socket = ring.add(socket).unwrap();
        ring.connect_within(socket, address, patience).unwrap();
        ring.timeout(Duration::ZERO).unwrap();
        let (mut told, gather) = (
            0,
            Wait::Gather {
                events: 3,
                within: patience,
                limit: patience,
            },
        );
        while told < 3 {
            told += ring
                .poll(gather, |event| match event {
                    Event::Accepted { .. } => {}
                    Event::Connected { result, .. } | Event::TimedOut { result, .. } => {
                        assert!(result.is_ok());
                    }
                    other => panic!("{other:?}"),
                })
                .unwrap();
        }
        drop(ring.remove(socket).unwrap());
    }
    assert_eq!(allocations() - before, 0);
}

#[test]
fn relaying_and_asking_allocate_nothing() {
    let pair = || UnixStream::pair().unwrap();
    let [(client, source), (target, server)] = [pair(), pair()];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = MemFd::new("sent").unwrap();
    file.set_len(2000).unwrap();
    let mut relay = Relay::new().unwrap();
    target.set_nonblocking(true).unwrap();
    let mut bytes = [7; 512];

    let before = allocations();
    for round in 0..1000 {
        (&client).write_all(&bytes).unwrap();
        assert_eq!(relay.turn(&source, &target).unwrap(), RelayTurn::Moved(512));
        (&server).read_exact(&mut bytes).unwrap();
        let mut sending = SendFile::new(round, 100).unwrap();
        let sent = sending.turn(&file, &target).unwrap();
        assert_eq!(sent, SendFileTurn::Moved(100));
        (&server).read_exact(&mut bytes[..100]).unwrap();
        assert_eq!(TcpInfo::of(&listener).unwrap().state(), TcpState::Listen);
        assert_eq!(MemInfo::of(&source).unwrap().drops(), 0);
    }
    assert_eq!(allocations() - before, 0);
}

#[test]
fn sending_without_a_ring_allocates_nothing() {
    for threshold in [0, usize::MAX] {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        near.connect(far.local_addr().unwrap()).unwrap();
        let options = ZeroCopyOptions::new()
            .threshold(threshold)
            .in_flight(8)
            .give_up_after(0);
        let mut sender = options.attach(near).unwrap();
        let pool = TxPool::new(8, 2048).unwrap();
        let mut back: Vec<TxBuf> = Vec::with_capacity(8);

        let before = allocations();
        let mut released = 0_u64;
        for _ in 0..1000 {
            // Half of the buffers are kept and sent again, half go through the pool.
            while let Some(buf) = back.pop().or_else(|| pool.take()) {
                if let Sent::Copied(buf) = sender.send(buf).unwrap() {
                    released += 1;
                    drop(buf);
                    if released % 8 == 0 {
                        break;
                    }
                }
            }
            let mut got = [0; 2048];
            for _ in 0..8 {
                far.recv(&mut got).unwrap();
            }
            while sender.in_flight() > 0 {
                sender.wait(Some(Duration::from_secs(60))).unwrap();
                sender
                    .reap(|event| {
                        if let zerocopy::Event::Released { buf, .. } = event {
                            released += 1;
                            if back.len() < 4 {
                                back.push(buf);
                            }
                        }
                    })
                    .unwrap();
            }
        }
        assert_eq!(allocations() - before, 0, "{threshold}");
        assert_eq!(released, 8000, "{threshold}");
    }
}
