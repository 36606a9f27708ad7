//! Connecting and times, on every kind of ring.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use netprims::Error;
use netprims::ring::{Event, Ring, RingBuilder, Strays, Ticket, Wait};
use rstest::rstest;
use socket2::{Domain, Socket, Type};

use super::{Kind, LIMIT, PATIENCE, tcp};

fn stream() -> OwnedFd {
    Socket::new(Domain::IPV4, Type::STREAM, None)
        .unwrap()
        .into()
}

/// The errno of what a request came to, 0 for none.
fn told(ring: &mut Ring, want: Ticket) -> i32 {
    let mut told = None;
    let deadline = Instant::now() + PATIENCE;
    while told.is_none() {
        assert!(Instant::now() < deadline, "nothing is told");
        ring.poll(LIMIT, |event| match event {
            Event::Connected { ticket, result, .. } | Event::TimedOut { ticket, result, .. } => {
                assert_eq!(ticket, want);
                told = Some(result.map_or_else(|error| error.raw_os_error().unwrap(), |()| 0));
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    told.unwrap()
}

/// An address that answers no more: its backlog is full.
struct Silent {
    address: SocketAddr,
    _listener: Socket,
    _waiting: Vec<Socket>,
}

fn silent() -> Silent {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = (0..3).map(|_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        socket
    });
    Silent {
        _waiting: waiting.collect(),
        address: address.as_socket().unwrap(),
        _listener: listener,
    }
}

#[rstest]
fn a_connection_is_made(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values("127.0.0.1:0", "[::1]:0")] address: &str,
    #[values(false, true)] non_blocking: bool,
    #[values(None, Some(PATIENCE))] within: Option<Duration>,
) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_nonblocking(non_blocking).unwrap();
    let mut ring = kind.builder().build().unwrap();
    let socket = ring.add(socket).unwrap();
    let ticket = match within {
        Some(limit) => ring.connect_within(socket, address, limit).unwrap(),
        None => ring.connect(socket, address).unwrap(),
    };
    assert_eq!(told(&mut ring, ticket), 0);
    let mut far = listener.accept().unwrap().0;
    let mut near = TcpStream::from(ring.remove(socket).unwrap());
    near.write_all(b"x").unwrap();
    far.read_exact(&mut [0]).unwrap();
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
}

#[rstest]
fn a_refused_connection_fails(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values(None, Some(PATIENCE))] within: Option<Duration>,
) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let mut ring = kind.builder().build().unwrap();
    let socket = ring.add(stream()).unwrap();
    let address = address.unwrap();
    let ticket = match within {
        Some(limit) => ring.connect_within(socket, address, limit).unwrap(),
        None => ring.connect(socket, address).unwrap(),
    };
    assert_eq!(told(&mut ring, ticket), libc::ECONNREFUSED);
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
}

#[rstest]
fn a_connection_that_is_not_made_in_time_has_timed_out(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
) {
    let silent = silent();
    let mut ring = kind.builder().build().unwrap();
    let socket = ring.add(stream()).unwrap();
    let limit = Duration::from_millis(30);
    let start = Instant::now();
    let ticket = ring.connect_within(socket, silent.address, limit).unwrap();
    assert_eq!(told(&mut ring, ticket), libc::ETIMEDOUT);
    assert!(start.elapsed() >= limit);
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
}

#[rstest]
fn a_cancelled_connection_is_told_as_that(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values(None, Some(PATIENCE))] within: Option<Duration>,
    #[values(false, true)] all: bool,
) {
    let silent = silent();
    let mut ring = kind.builder().build().unwrap();
    let socket = ring.add(stream()).unwrap();
    let ticket = match within {
        Some(limit) => ring.connect_within(socket, silent.address, limit).unwrap(),
        None => ring.connect(socket, silent.address).unwrap(),
    };
    assert_eq!(ring.poll(Wait::No, |_| ()).unwrap(), 0);
    if all {
        ring.cancel_all(socket).unwrap();
    } else {
        ring.cancel(ticket).unwrap();
    }
    assert_eq!(told(&mut ring, ticket), libc::ECANCELED);
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
}

#[rstest]
fn cancelling_all_of_a_socket_leaves_others_alone(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
) {
    let silent = silent();
    let mut ring = kind.builder().build().unwrap();
    let listener = ring.add(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let accept = ring.accept(listener).unwrap();
    let sockets: Vec<_> = (0..3).map(|_| ring.add(stream()).unwrap()).collect();
    let tickets: Vec<_> = sockets
        .iter()
        .map(|socket| ring.connect(*socket, silent.address).unwrap())
        .collect();
    ring.cancel_all(sockets[1]).unwrap();
    assert_eq!(told(&mut ring, tickets[1]), libc::ECANCELED);
    assert_eq!(ring.in_flight(), 3);
    ring.cancel_all(listener).unwrap();
    let mut ended = None;
    while ended.is_none() {
        ring.poll(LIMIT, |event| match event {
            Event::AcceptEnded { ticket, error, .. } => {
                ended = Some((ticket, error.raw_os_error()));
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert_eq!(ended, Some((accept, Some(libc::ECANCELED))));
    let other = ring.remove(sockets[2]).unwrap();
    let gone = ring.cancel_all(sockets[2]);
    assert!(matches!(gone, Err(Error::UnknownSocket)));
    drop(other);
}

#[rstest]
fn a_timeout_comes_when_its_time_is_over(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
) {
    let mut ring = kind.builder().build().unwrap();
    let long = ring.timeout(Duration::MAX).unwrap();
    for millis in [0, 20, 1] {
        let time = Duration::from_millis(millis);
        let start = Instant::now();
        let ticket = ring.timeout(time).unwrap();
        assert_eq!(told(&mut ring, ticket), 0);
        assert!(start.elapsed() >= time);
    }
    ring.cancel(long).unwrap();
    assert_eq!(told(&mut ring, long), libc::ECANCELED);
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
}

#[test]
fn a_ring_of_one_has_room_for_a_request_and_its_limit() {
    let silent = silent();
    let mut ring = RingBuilder::new().in_flight(1).build().unwrap();
    let limit = Duration::from_millis(10);
    for _ in 0..4 {
        let socket = ring.add(stream()).unwrap();
        let ticket = ring.connect_within(socket, silent.address, limit).unwrap();
        let refused = ring.timeout(limit);
        assert!(matches!(refused, Err(Error::RingFull)));
        assert_eq!(told(&mut ring, ticket), libc::ETIMEDOUT);
    }
}

#[rstest]
fn a_ring_is_dropped_with_connections_and_times_under_way(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
    #[values(false, true)] handed_over: bool,
) {
    let silent = silent();
    let mut ring = kind.builder().build().unwrap();
    for _ in 0..20 {
        let socket = ring.add(stream()).unwrap();
        ring.connect(socket, silent.address).unwrap();
        ring.connect_within(socket, silent.address, PATIENCE)
            .unwrap();
        ring.timeout(PATIENCE).unwrap();
    }
    if handed_over {
        ring.poll(Wait::No, |_| ()).unwrap();
    }
    let start = Instant::now();
    drop(ring);
    assert!(start.elapsed() < PATIENCE / 2, "it has waited for them");
}

#[test]
fn what_is_another_rings_is_not_connected() {
    let mut ring = Ring::builder().build().unwrap();
    let mut other = Ring::builder().build().unwrap();
    let socket = other.add(tcp().0).unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    let refused = ring.connect(socket, address);
    assert!(matches!(refused, Err(Error::UnknownSocket)));
    let refused = ring.cancel_all(socket);
    assert!(matches!(refused, Err(Error::UnknownSocket)));
}
