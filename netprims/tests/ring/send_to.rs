//! Datagrams that are sent to an address, and answers to those that came from one.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixDatagram};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use netprims::Error;
use netprims::ring::{
    Address, Event, Ring, RxPlan, SendOptions, Socket, Strays, TxBuf, TxPool, Usage, Wait, ZcPolicy,
};
use netprims::tuning::Tuning;
use rstest::rstest;
use socket2::{Domain, Type};

use super::{Kind, LIMIT, Told, finish, tcp, udp};

const ANY_V4: &str = "127.0.0.1:0";

fn peer(local: &str) -> UdpSocket {
    let peer = UdpSocket::bind(local).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    peer
}

fn filled(pool: &TxPool, bytes: &[u8]) -> TxBuf {
    let mut buf = pool.take().unwrap();
    buf.set_len(bytes.len()).unwrap();
    buf.copy_from_slice(bytes);
    buf
}

fn send_to(
    ring: &mut Ring,
    pool: &TxPool,
    socket: Socket,
    bytes: &[u8],
    to: impl Into<Address>,
    options: impl Into<SendOptions>,
) -> Told {
    let buf = filled(pool, bytes);
    ring.send_to(socket, buf, to, options).unwrap();
    finish(ring)
}

/// What was sent, where it came from, and whether anything else was.
fn arrived(peer: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut bytes = vec![0; 65_536];
    let (len, from) = peer.recv_from(&mut bytes).unwrap();
    bytes.truncate(len);
    (bytes, from)
}

#[rstest]
fn a_datagram_goes_where_it_is_sent(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
    #[values(ANY_V4, "[::1]:0")] local: &str,
) {
    let near = UdpSocket::bind(local).unwrap();
    let from = near.local_addr().unwrap();
    let peers = [(); 3].map(|()| peer(local));
    let mut ring = kind.builder().in_flight(8).build().unwrap();
    let pool = ring.tx_pool(8, 2000).unwrap();
    let socket = ring.add(near).unwrap();
    for round in 0..20 {
        // All at the same time: each has an address of its own.
        for (nth, peer) in (1_u8..).zip(&peers) {
            let buf = filled(&pool, &vec![round; usize::from(nth) * 100]);
            let to = peer.local_addr().unwrap();
            ring.send_to(socket, buf, to, policy).unwrap();
        }
        let (mut sent, mut released) = (0, 0);
        while ring.in_flight() > 0 {
            ring.poll(LIMIT, |event| match event {
                Event::Sent { result, .. } => sent += result.unwrap(),
                Event::Released { mut buf, .. } => {
                    released += 1;
                    buf.fill(0xee);
                }
                other => panic!("{other:?}"),
            })
            .unwrap();
        }
        assert_eq!((sent, released), (600, 3));
        for (nth, peer) in (1_u8..).zip(&peers) {
            let want = (vec![round; usize::from(nth) * 100], from);
            assert_eq!(arrived(peer), want);
        }
    }
    assert_eq!(ring.strays(), Strays::default());
}

#[rstest]
fn several_buffers_go_to_an_address_as_one_datagram(
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    let (near, peers) = (
        UdpSocket::bind(ANY_V4).unwrap(),
        [peer(ANY_V4), peer(ANY_V4)],
    );
    let mut ring = Ring::builder().in_flight(8).build().unwrap();
    let pool = ring.tx_pool(8, 2000).unwrap();
    let socket = ring.add(near).unwrap();
    for peer in peers.iter().cycle().take(10) {
        let mut bufs = vec![filled(&pool, b"one, "), filled(&pool, b"two")];
        let to = peer.local_addr().unwrap();
        ring.send_vectored_to(socket, &mut bufs, to, policy)
            .unwrap();
        assert!(bufs.is_empty());
        let (mut sent, mut released) = (0, 0);
        while ring.in_flight() > 0 {
            ring.poll(LIMIT, |event| match event {
                Event::Sent { result, .. } => sent += result.unwrap(),
                Event::Released { .. } => released += 1,
                other => panic!("{other:?}"),
            })
            .unwrap();
        }
        assert_eq!((sent, released), (8, 2));
        assert_eq!(arrived(peer).0, b"one, two");
    }
}

#[rstest]
fn an_ipv6_socket_sends_to_mapped_and_plain_ipv4_addresses(
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
) {
    let near = UdpSocket::bind("[::]:0").unwrap();
    let peer = peer(ANY_V4);
    let to = peer.local_addr().unwrap();
    let IpAddr::V4(ip) = to.ip() else {
        unreachable!()
    };
    let mapped = SocketAddr::from((ip.to_ipv6_mapped(), to.port()));
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(2, 100).unwrap();
    let socket = ring.add(near).unwrap();
    for to in [to, mapped] {
        let told = send_to(&mut ring, &pool, socket, b"x", to, policy);
        assert_eq!(told.result.unwrap(), 1);
        assert_eq!(arrived(&peer).0, b"x");
    }
}

#[test]
fn a_connected_socket_sends_elsewhere_all_the_same() {
    let (near, far) = udp();
    let other = peer(ANY_V4);
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(2, 100).unwrap();
    let socket = ring.add(near).unwrap();
    let to = other.local_addr().unwrap();
    // The same place in the table: what was there before does not stay.
    for _ in 0..3 {
        let told = send_to(&mut ring, &pool, socket, b"other", to, ZcPolicy::Never);
        assert_eq!(told.result.unwrap(), 5);
        let told = super::send(&mut ring, &pool, socket, b"far", ZcPolicy::Never);
        assert_eq!(told.result.unwrap(), 3);
        assert_eq!(arrived(&other).0, b"other");
        assert_eq!(arrived(&far).0, b"far");
    }
}

#[rstest]
fn unix_names_are_addresses(#[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy) {
    let name = |of: &str| {
        let name = format!("netprims-{of}-{}-{policy:?}", std::process::id());
        net::SocketAddr::from_abstract_name(&name.as_bytes()[..name.len().min(60)]).unwrap()
    };
    let far = UnixDatagram::bind_addr(&name("far")).unwrap();
    let near = UnixDatagram::bind_addr(&name("near")).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(2, 100).unwrap();
    let socket = ring.add(near).unwrap();
    for _ in 0..3 {
        let told = send_to(&mut ring, &pool, socket, b"x", name("far"), policy);
        assert_eq!(told.result.unwrap(), 1);
        let mut bytes = [0; 10];
        let (len, from) = far.recv_from(&mut bytes).unwrap();
        assert_eq!((len, Address::from(from)), (1, name("near").into()));
    }
    let told = send_to(&mut ring, &pool, socket, b"x", name("nobody"), policy);
    let errno = told.result.unwrap_err().raw_os_error();
    assert_eq!(errno, Some(libc::ECONNREFUSED));
    assert_eq!(ring.strays(), Strays::default());
}

#[test]
fn what_cannot_be_sent_comes_back() {
    let mut ring = Ring::builder().in_flight(1).build().unwrap();
    let pool = ring.tx_pool(3, 100).unwrap();
    let (stream, socket) = (ring.add(tcp().0).unwrap(), ring.add(udp().0).unwrap());
    let mut other = Ring::builder().build().unwrap();
    let foreign = other.add(udp().0).unwrap();
    let to: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let mut refused = |socket, buf, to: Address| {
        let rejected = ring.send_to(socket, buf, to, ZcPolicy::Never).unwrap_err();
        assert_eq!((&rejected.buf[..], ring.in_flight()), (&b"x"[..], 0));
        rejected.error
    };
    let buf = || filled(&pool, b"x");
    let error = refused(stream, buf(), to.into());
    assert_eq!(
        error.to_string(),
        "send_to = a stream: a stream has one peer; use `send`"
    );
    assert!(matches!(
        refused(foreign, buf(), to.into()),
        Error::UnknownSocket
    ));
    let theirs = filled(&other.tx_pool(1, 10).unwrap(), b"x");
    assert!(matches!(
        refused(socket, theirs, to.into()),
        Error::ForeignBuffer
    ));
    let mut bufs = vec![buf(), buf()];
    let error = ring.send_vectored_to(stream, &mut bufs, to, ZcPolicy::Never);
    assert!(matches!(
        error,
        Err(Error::InvalidValue {
            option: "send_to",
            ..
        })
    ));
    let error = ring.send_vectored_to(socket, &mut bufs, to, ZcPolicy::Never);
    assert!(matches!(error, Err(Error::RingFull)));
    assert_eq!(bufs.len(), 2);
}

/// The kernel cuts what is sent into datagrams.
#[rstest]
fn segments_are_datagrams(
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
    #[values(false, true)] is_connected: bool,
    #[values(1, 3)] buffers: usize,
) {
    let (near, peer) = (UdpSocket::bind(ANY_V4).unwrap(), peer(ANY_V4));
    let to = peer.local_addr().unwrap();
    if is_connected {
        near.connect(to).unwrap();
    }
    let mut ring = Ring::builder().in_flight(8).build().unwrap();
    let pool = ring.tx_pool(8, 4000).unwrap();
    let socket = ring.add(near).unwrap();
    let options = SendOptions::new().policy(policy).segment(1000);
    for _ in 0..5 {
        let mut bufs: Vec<_> = (0..buffers).map(|_| filled(&pool, &[7; 2500])).collect();
        match (is_connected, buffers) {
            (true, 1) => drop(ring.send(socket, bufs.pop().unwrap(), options).unwrap()),
            (true, _) => drop(ring.send_vectored(socket, &mut bufs, options).unwrap()),
            (false, 1) => {
                let buf = bufs.pop().unwrap();
                ring.send_to(socket, buf, to, options).unwrap();
            }
            (false, _) => {
                ring.send_vectored_to(socket, &mut bufs, to, options)
                    .unwrap();
            }
        }
        let mut sent = 0;
        while ring.in_flight() > 0 {
            ring.poll(LIMIT, |event| {
                if let Event::Sent { result, .. } = event {
                    sent += result.unwrap();
                }
            })
            .unwrap();
        }
        assert_eq!(sent, 2500 * buffers);
        let (mut left, mut lens) = (sent, Vec::new());
        while left > 0 {
            let (bytes, _) = arrived(&peer);
            assert!(bytes.iter().all(|byte| *byte == 7));
            left -= bytes.len();
            lens.push(bytes.len());
        }
        let (last, rest) = lens.split_last().unwrap();
        assert!(rest.iter().all(|len| *len == 1000) && *last == sent - 1000 * rest.len());
    }
    // An empty one is one.
    let buf = filled(&pool, b"");
    ring.send_to(socket, buf, to, options).unwrap();
    assert_eq!(finish(&mut ring).result.unwrap(), 0);
    assert_eq!(arrived(&peer).0.len(), 0);
    // The next one is not cut.
    let buf = filled(&pool, &[7; 2500]);
    ring.send_to(socket, buf, to, policy).unwrap();
    assert_eq!(finish(&mut ring).result.unwrap(), 2500);
    assert_eq!(arrived(&peer).0.len(), 2500);
}

/// An echo: each goes back to where it came from, in pieces of the size it came in.
#[rstest]
fn what_came_goes_back_to_its_source(#[values(false, true)] joins: bool) {
    let near = UdpSocket::bind(ANY_V4).unwrap();
    let _ = Tuning::new().udp_gro(joins).apply(&near).unwrap();
    let server = near.local_addr().unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let plan = RxPlan::new(8, 65_535).messages(true);
    let (rx, tx) = (
        ring.rx_pool(&plan).unwrap(),
        ring.tx_pool(9, 65_535).unwrap(),
    );
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &rx).unwrap();
    let clients = [(); 3].map(|()| peer(ANY_V4));
    for (number, client) in (1_u8..).zip(&clients) {
        for len in [1, 500, 1400] {
            client.send_to(&vec![number; len], server).unwrap();
        }
    }
    let (mut echoed, mut usages) = (0, Vec::new());
    while echoed < 9 {
        let mut answers = Vec::new();
        ring.poll(LIMIT, |event| match event {
            Event::Received { chunk, .. } => {
                let segment = chunk.incoming().unwrap().segment();
                answers.push((filled(&tx, &chunk), chunk.source().unwrap(), segment));
            }
            Event::Sent { result, .. } => drop(result.unwrap()),
            Event::Released { usage, .. } => {
                echoed += 1;
                usages.push(usage);
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
        for (buf, to, segment) in answers {
            let segment = segment.map_or(0, u16::from);
            let options = SendOptions::new().policy(ZcPolicy::Never).segment(segment);
            ring.send_to(socket, buf, to, options).unwrap();
        }
    }
    assert!(usages.iter().all(|usage| *usage == Usage::Copied));
    for (number, client) in (1_u8..).zip(&clients) {
        for len in [1, 500, 1400] {
            assert_eq!(arrived(client), (vec![number; len], server));
        }
    }
}

/// A sender whose peer takes nothing more, and the peer's address.
fn to_a_full_peer() -> (UnixDatagram, UnixDatagram, net::SocketAddr) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("netprims-full-{}-{count}", std::process::id());
    let address = net::SocketAddr::from_abstract_name(name).unwrap();
    let peer = UnixDatagram::bind_addr(&address).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to_addr(b"full", &address).is_ok() {}
    sender.set_nonblocking(false).unwrap();
    (sender, peer, address)
}

/// The kernel does not find such a send when it is asked to give it up, until it has set a thread to it.
#[rstest]
fn a_message_to_a_peer_that_is_full_is_given_up(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values(false, true)] was_seen: bool,
) {
    let (sender, peer, address) = to_a_full_peer();
    let mut ring = kind.builder().build().unwrap();
    let pool = ring.tx_pool(2, 100).unwrap();
    let socket = ring.add(sender).unwrap();
    let buf = filled(&pool, b"one more");
    let sent = ring.send_to(socket, buf, address, ZcPolicy::Never).unwrap();
    if was_seen {
        assert_eq!(
            ring.poll(Wait::AtMost(Duration::from_millis(5)), |_| ())
                .unwrap(),
            0
        );
    }
    ring.cancel(sent).unwrap();
    let Told { result, buf, .. } = finish(&mut ring);
    assert_eq!(
        result.map_err(|error| error.raw_os_error()),
        Err(Some(libc::ECANCELED))
    );
    drop(buf);
    assert_eq!((ring.in_flight(), pool.outstanding()), (0, 0));
    drop(peer);
}

#[rstest]
fn a_message_to_a_peer_that_is_full_has_its_limit(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
) {
    let (sender, _peer, address) = to_a_full_peer();
    let mut ring = kind.builder().build().unwrap();
    let pool = ring.tx_pool(2, 100).unwrap();
    let socket = ring.add(sender).unwrap();
    let limit = SendOptions::new()
        .policy(ZcPolicy::Never)
        .within(Duration::from_millis(20));
    let buf = filled(&pool, b"one more");
    ring.send_to(socket, buf, address, limit).unwrap();
    let told = finish(&mut ring);
    assert_eq!(
        told.result.map_err(|error| error.raw_os_error()),
        Err(Some(libc::ETIMEDOUT))
    );
}

#[rstest]
fn dropping_a_ring_gives_up_a_message_to_a_peer_that_is_full(
    #[values(Kind::Plain, Kind::Files)] kind: Kind,
) {
    let (sender, _peer, address) = to_a_full_peer();
    let mut ring = kind.builder().build().unwrap();
    let pool = ring.tx_pool(2, 100).unwrap();
    let socket = ring.add(sender).unwrap();
    let buf = filled(&pool, b"one more");
    ring.send_to(socket, buf, address, ZcPolicy::Never).unwrap();
    assert_eq!(ring.poll(Wait::No, |_| ()).unwrap(), 0);
    drop(ring);
    assert_eq!(pool.outstanding(), 0);
}

#[test]
fn packets_in_sequence_go_to_the_peer_alone_and_elsewhere_is_refused() {
    let (near, _far) = socket2::Socket::pair(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    let (_, _peer, address) = to_a_full_peer();
    let mut ring = Kind::Plain.builder().build().unwrap();
    let pool = ring.tx_pool(1, 100).unwrap();
    let socket = ring.add(near).unwrap();
    let rejected = ring
        .send_to(socket, filled(&pool, b"x"), address, ZcPolicy::Never)
        .unwrap_err();
    assert!(
        matches!(rejected.error, Error::InvalidValue { .. }),
        "{rejected:?}"
    );
}
