//! Datagrams that come with their source, and with what else the kernel tells of them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixDatagram, UnixStream};
use std::time::Instant;

use netprims::Error;
use netprims::datagram::{Details, Ecn, Outgoing, SendBatch, TrafficClass};
use netprims::ring::{
    Address, Event, ReceiveEnd, Ring, Rung, RxBuf, RxPlan, RxPool, Socket, Strays, Ticket, Wanted,
    WhyNot,
};
use netprims::tuning::Tuning;
use rstest::rstest;
use socket2::SockRef;

use super::streams::{byte, finish, wrong};
use super::{LIMIT, PATIENCE, tcp};

const ANY_V4: &str = "127.0.0.1:0";

fn plan(way: &str, slots: u32, slot_len: u32) -> RxPlan {
    let plan = RxPlan::new(slots, slot_len).messages(true);
    match way {
        "plain" => plan.at_most(Rung::Plain),
        "multishot" => plan,
        _ => unreachable!(),
    }
}

struct Server {
    ring: Ring,
    pool: RxPool,
    socket: Socket,
    ticket: Ticket,
}

impl Server {
    fn new(socket: impl Into<OwnedFd>, plan: &RxPlan) -> Self {
        let mut ring = Ring::builder().in_flight(16).build().unwrap();
        let pool = ring.rx_pool(plan).unwrap();
        let socket = ring.add(socket).unwrap();
        let ticket = ring.receive(socket, &pool).unwrap();
        Self {
            ring,
            pool,
            socket,
            ticket,
        }
    }

    /// The next datagrams, kept.
    fn next(&mut self, count: usize) -> Vec<RxBuf> {
        let mut got = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while got.len() < count {
            assert!(Instant::now() < deadline, "{} of {count}", got.len());
            self.ring
                .poll(LIMIT, |event| match event {
                    Event::Received { chunk, .. } => got.push(chunk.detach()),
                    other => panic!("{other:?}"),
                })
                .unwrap();
        }
        got
    }

    fn one(&mut self) -> RxBuf {
        self.next(1).pop().unwrap()
    }
}

#[rstest]
fn a_datagram_comes_with_its_source(
    #[values("plain", "multishot")] way: &str,
    #[values(ANY_V4, "[::1]:0")] local: &str,
    #[values(false, true)] nonblocking: bool,
) {
    let server = UdpSocket::bind(local).unwrap();
    server.set_nonblocking(nonblocking).unwrap();
    let to = server.local_addr().unwrap();
    let clients = [(); 3].map(|()| UdpSocket::bind(local).unwrap());
    let mut server = Server::new(server, &plan(way, 4, 1000));
    for round in 0..50 {
        for (nth, client) in clients.iter().enumerate() {
            let bytes: Vec<u8> = (round..round + 10 * nth).map(byte).collect();
            client.send_to(&bytes, to).unwrap();
        }
        for (nth, got) in server.next(3).iter().enumerate() {
            assert_eq!((got.len(), wrong(round, got)), (10 * nth, 0));
            let from = clients[nth].local_addr().unwrap();
            assert_eq!(got.source(), Some(Address::from(from)));
            assert_eq!(got.incoming().unwrap().peer(), Some(from));
            assert!(!got.is_cut());
            assert_eq!(got.whole_len(), Some(10 * nth));
        }
    }
    assert_eq!(server.ring.strays(), Strays::default());
    assert_eq!(server.pool.stats().stepped_down, 0);
    assert_eq!(server.pool.slot_len(), 1000);
}

#[rstest]
fn an_ipv4_peer_of_an_ipv6_socket_is_mapped(#[values("plain", "multishot")] way: &str) {
    let server = UdpSocket::bind("[::]:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let client = UdpSocket::bind(ANY_V4).unwrap();
    let mut server = Server::new(server, &plan(way, 4, 100));
    client.send_to(b"x", ("127.0.0.1", port)).unwrap();
    let mapped = "::ffff:127.0.0.1".parse::<Ipv6Addr>().unwrap();
    let want = SocketAddr::from((mapped, client.local_addr().unwrap().port()));
    assert_eq!(server.one().source().unwrap().internet(), Some(want));
}

/// A slot takes all of its length, and tells what it lacks.
#[rstest]
fn a_cut_datagram_says_so_and_how_long_it_was(
    #[values("plain", "multishot")] way: &str,
    #[values("udp", "unix", "packets")] kind: &str,
) {
    const SLOT: usize = 1000;
    let (near, far): (OwnedFd, OwnedFd) = match kind {
        "udp" => {
            let (near, far) = super::udp();
            far.connect(near.local_addr().unwrap()).unwrap();
            (near.into(), far.into())
        }
        "unix" => {
            let (near, far) = UnixDatagram::pair().unwrap();
            (near.into(), far.into())
        }
        _ => {
            let kind = socket2::Type::SEQPACKET;
            let (near, far) = socket2::Socket::pair(socket2::Domain::UNIX, kind, None).unwrap();
            (near.into(), far.into())
        }
    };
    let mut server = Server::new(near, &plan(way, 4, 1000));
    for len in [
        1,
        SLOT,
        SLOT + 1,
        SLOT + 511,
        SLOT + 512,
        SLOT + 513,
        5000,
        999,
    ] {
        let bytes: Vec<u8> = (len..2 * len).map(byte).collect();
        SockRef::from(&far).send(&bytes).unwrap();
        let got = server.one();
        assert_eq!((got.len(), wrong(len, &got)), (len.min(SLOT), 0));
        assert_eq!((got.is_cut(), got.whole_len()), (len > SLOT, Some(len)));
        assert_eq!(got.incoming().unwrap().is_truncated(), len > SLOT);
    }
    assert_eq!(server.ring.strays(), Strays::default());
    if kind == "packets" {
        drop(far);
        let end = finish(&mut server.ring, server.ticket);
        assert!(matches!(end, (ReceiveEnd::Closed, 0)), "{end:?}");
    }
}

#[rstest]
fn a_pool_that_is_not_for_messages_says_what_is_cut_and_no_more(
    #[values("plain", "multishot", "bundles")] way: &str,
    #[values("udp", "unix")] kind: &str,
) {
    let (near, far): (OwnedFd, OwnedFd) = if kind == "udp" {
        let (near, far) = super::udp();
        far.connect(near.local_addr().unwrap()).unwrap();
        (near.into(), far.into())
    } else {
        let (near, far) = UnixDatagram::pair().unwrap();
        (near.into(), far.into())
    };
    let mut server = Server::new(near, &super::streams::plan(way, 4, 100));
    for (len, cut) in [(100, false), (101, true), (5000, true), (0, false)] {
        SockRef::from(&far).send(&vec![7; len]).unwrap();
        let got = server.one();
        assert_eq!(&got[..], &vec![7; len.min(100)]);
        assert_eq!(
            (got.is_cut(), got.whole_len()),
            (cut, (!cut).then_some(len))
        );
        assert!(got.source().is_none() && got.incoming().is_none());
    }
    assert_eq!(server.ring.strays(), Strays::default());
}

#[rstest]
fn empty_datagrams_have_a_source_too(#[values("plain", "multishot")] way: &str) {
    let server = UdpSocket::bind(ANY_V4).unwrap();
    let to = server.local_addr().unwrap();
    let client = UdpSocket::bind(ANY_V4).unwrap();
    let mut server = Server::new(server, &plan(way, 2, 100));
    for _ in 0..20 {
        client.send_to(&[], to).unwrap();
        let got = server.one();
        assert_eq!(
            (got.len(), got.is_cut(), got.whole_len()),
            (0, false, Some(0))
        );
        assert_eq!(
            got.source().unwrap().internet(),
            Some(client.local_addr().unwrap())
        );
    }
    assert_eq!(server.ring.strays(), Strays::default());
}

#[rstest]
fn unix_peers_have_their_names(#[values("plain", "multishot")] way: &str) {
    let folder = tempfile_folder();
    let path = folder.join("client");
    let of_path = UnixDatagram::bind(&path).unwrap();
    let name =
        net::SocketAddr::from_abstract_name(format!("netprims-{}-{way}", std::process::id()))
            .unwrap();
    let of_no_file = UnixDatagram::bind_addr(&name).unwrap();
    let unnamed = UnixDatagram::unbound().unwrap();
    let longest = net::SocketAddr::from_abstract_name([b'n'; 107]).unwrap();
    let of_a_long_name = UnixDatagram::bind_addr(&longest);
    let server_name = net::SocketAddr::from_abstract_name(format!(
        "netprims-server-{}-{way}",
        std::process::id()
    ))
    .unwrap();
    let server = UnixDatagram::bind_addr(&server_name).unwrap();
    let mut server = Server::new(server, &plan(way, 4, 100));
    let mut from = |client: &UnixDatagram| {
        client.send_to_addr(b"hello", &server_name).unwrap();
        let got = server.one();
        assert_eq!(&got[..], b"hello");
        assert!(got.incoming().unwrap().peer().is_none());
        got.source()
    };
    let source = from(&of_path).unwrap();
    assert_eq!(source.unix().unwrap().as_pathname(), Some(path.as_path()));
    assert_eq!(from(&of_no_file), Some(Address::from(name)));
    assert_eq!(from(&unnamed), None);
    // Somebody else may have it.
    if let Ok(client) = of_a_long_name {
        assert_eq!(from(&client), Some(Address::from(longest)));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

fn tempfile_folder() -> std::path::PathBuf {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default().replace(':', "-");
    let folder = std::env::temp_dir().join(format!("netprims-{}-{name}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    folder
}

/// Descriptors that a message brings belong to nobody: none may be installed.
#[rstest]
fn descriptors_are_not_received(#[values("plain", "multishot")] way: &str) {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::io::{IoSlice, Read};
    use std::os::fd::AsRawFd;

    let (near, far) = UnixDatagram::pair().unwrap();
    let mut server = Server::new(near, &plan(way, 4, 100));
    for _ in 0..5 {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        let fds = [writer.as_raw_fd()];
        let control = [ControlMessage::ScmRights(&fds)];
        let bytes = [IoSlice::new(b"take this")];
        sendmsg::<()>(far.as_raw_fd(), &bytes, &control, MsgFlags::empty(), None).unwrap();
        drop(writer);
        let got = server.one();
        assert_eq!(&got[..], b"take this");
        assert!(got.incoming().unwrap().lacks_details());
        // The end comes when nobody has the other side.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }
}

#[rstest]
fn segments_come_in_one_piece_with_their_size(#[values("plain", "multishot")] way: &str) {
    let server = UdpSocket::bind(ANY_V4).unwrap();
    let _ = Tuning::new().udp_gro(true).apply(&server).unwrap();
    let to = server.local_addr().unwrap();
    let client = UdpSocket::bind(ANY_V4).unwrap();
    let mut server = Server::new(server, &plan(way, 4, 65_535));
    let mut batch = SendBatch::new(4).unwrap();
    let data: Vec<u8> = (0..12_345).map(byte).collect();
    for _ in 0..20 {
        let message = Outgoing::new(&data).to(to).segment(1200);
        let sent = batch.send(&client, &[message]).unwrap();
        assert_eq!(sent.messages(), 1);
        let (mut received, mut pieces) = (0, 0);
        while received < data.len() {
            let got = server.one();
            assert_eq!(wrong(received, &got), 0);
            received += got.len();
            pieces += 1;
            let incoming = got.incoming().unwrap();
            if got.len() > 1200 {
                assert_eq!(incoming.segment(), NonZeroU16::new(1200));
            }
            assert!(incoming.datagrams().all(|datagram| datagram.len() <= 1200));
        }
        assert_eq!(pieces, 1, "loopback keeps what was sent as one together");
    }
}

#[rstest]
fn a_socket_tells_what_it_was_asked_for(
    #[values("plain", "multishot")] way: &str,
    #[values(ANY_V4, "[::1]:0")] local: &str,
) {
    let server = UdpSocket::bind(local).unwrap();
    let asked = Details::DESTINATION.and(Details::TRAFFIC_CLASS);
    asked.request(&server).unwrap();
    let to = server.local_addr().unwrap();
    let client = UdpSocket::bind(local).unwrap();
    let mut server = Server::new(server, &plan(way, 4, 100));
    let mut batch = SendBatch::new(1).unwrap();
    let class = TrafficClass::from_byte(0x2d);
    let message = Outgoing::new(b"x").to(to).traffic_class(class);
    for _ in 0..10 {
        let sent = batch.send(&client, &[message]).unwrap();
        assert_eq!(sent.messages(), 1);
        let got = server.one();
        let incoming = got.incoming().unwrap();
        assert_eq!(incoming.bytes(), b"x");
        assert_eq!(incoming.destination(), Some(to.ip()));
        assert_eq!(incoming.answer_from(), Some(to.ip()));
        assert_eq!(incoming.traffic_class(), Some(class));
        assert_eq!(incoming.traffic_class().unwrap().ecn(), Ecn::Ect1);
        assert!(incoming.interface().is_some() && !incoming.lacks_details());
    }
}

#[rstest]
fn raw_packets_have_a_source(#[values("plain", "multishot")] way: &str) {
    use socket2::{Domain, Protocol, Socket, Type};
    let raw = match Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(253))) {
        Ok(raw) => raw,
        Err(error) => {
            let may = nix::unistd::geteuid().is_root();
            assert!(!may && error.raw_os_error() == Some(libc::EPERM), "{error}");
            return;
        }
    };
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let far = raw.try_clone().unwrap();
    let mut server = Server::new(raw, &plan(way, 4, 100));
    far.send_to(b"raw", &here.into()).unwrap();
    let got = server.one();
    assert_eq!(&got[20..], b"raw");
    let source = got.source().unwrap().internet().unwrap();
    assert_eq!(source.ip(), IpAddr::from([127, 0, 0, 1]));
}

/// What is kept keeps its source, while the ring is starved and after it is gone.
#[rstest]
fn a_kept_datagram_keeps_its_source(#[values("plain", "multishot")] way: &str) {
    let server = UdpSocket::bind(ANY_V4).unwrap();
    let to = server.local_addr().unwrap();
    let clients = [(); 4].map(|()| UdpSocket::bind(ANY_V4).unwrap());
    let mut server = Server::new(server, &plan(way, 4, 100));
    for _ in 0..3 {
        for (number, client) in (0..).zip(&clients) {
            client.send_to(&[number; 50], to).unwrap();
        }
        // One too many: it waits.
        clients[0].send_to(&[9; 100], to).unwrap();
        let kept = server.next(4);
        let told = server
            .ring
            .poll(netprims::ring::Wait::No, |event| panic!("{event:?}"));
        assert_eq!(told.unwrap(), 0);
        for (number, kept) in (0..).zip(&kept) {
            let client = &clients[usize::from(number)];
            assert_eq!(kept[..], [number; 50]);
            let source = kept.source().unwrap().internet();
            assert_eq!(source, Some(client.local_addr().unwrap()));
        }
        drop(kept);
        assert_eq!(server.one()[..], [9; 100]);
    }
    clients[1].send_to(&[1; 10], to).unwrap();
    let kept = server.one();
    drop(server);
    let kept = std::thread::spawn(move || (kept.to_vec(), kept.source()))
        .join()
        .unwrap();
    let source = clients[1].local_addr().unwrap();
    assert_eq!(kept, (vec![1; 10], Some(Address::from(source))));
}

#[rstest]
fn a_pool_for_messages_is_refused_for_streams(#[values("plain", "multishot")] way: &str) {
    let mut ring = Ring::builder().build().unwrap();
    let plan = plan(way, 4, 100).incremental(true);
    let pool = ring.rx_pool(&plan).unwrap();
    let report = pool.report();
    assert!(report.messages && !report.bundles && !report.incremental);
    for what in [Wanted::ZeroCopy, Wanted::Bundles, Wanted::Incremental] {
        let why = report.why_not(what).unwrap();
        assert!(matches!(why, WhyNot::Excluded { by: "messages", .. }));
    }
    let socket = ring.add(tcp().0).unwrap();
    let refused = ring.receive(socket, &pool).unwrap_err();
    let is_refusal = matches!(
        refused,
        Error::InvalidValue {
            option: "messages",
            ..
        }
    );
    assert!(is_refusal, "{refused}");
    assert_eq!(ring.in_flight(), 0);
}

/// Everything may go in any order while messages are received.
#[rstest]
fn whatever_goes_first_nothing_is_leaked(
    #[values("plain", "multishot")] way: &str,
    #[values("ring", "pool", "socket", "cancel")] first: &str,
) {
    let server = UdpSocket::bind(ANY_V4).unwrap();
    let to = server.local_addr().unwrap();
    let client = UdpSocket::bind(ANY_V4).unwrap();
    let mut server = Server::new(server, &plan(way, 4, 100));
    client.send_to(b"x", to).unwrap();
    let kept = server.one();
    client.send_to(b"y", to).unwrap();
    let Server {
        mut ring,
        pool,
        socket,
        ticket,
    } = server;
    match first {
        "ring" => drop(ring),
        "pool" => {
            drop(pool);
            // The receive goes on.
            let mut told = 0;
            while told == 0 {
                told = ring
                    .poll(LIMIT, |event| {
                        assert!(matches!(event, Event::Received { .. }))
                    })
                    .unwrap();
            }
        }
        "socket" => {
            drop(ring.remove(socket).unwrap());
            let end = finish(&mut ring, ticket).0;
            assert!(matches!(end, ReceiveEnd::Cancelled), "{end:?}");
        }
        _ => {
            ring.cancel(ticket).unwrap();
            let end = finish(&mut ring, ticket).0;
            assert!(matches!(end, ReceiveEnd::Cancelled), "{end:?}");
        }
    }
    assert_eq!(&kept[..], b"x");
    assert!(kept.source().is_some());
}
