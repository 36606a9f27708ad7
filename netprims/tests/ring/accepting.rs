//! Accepting: each connection is told once, and its descriptor has one owner.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Instant;

use netprims::Error;
use netprims::ring::{Event, Ring, Strays, Ticket, Wait};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use rstest::rstest;

use super::{LIMIT, PATIENCE};

struct Accepting {
    ring: Ring,
    ticket: Ticket,
    listener: netprims::ring::Socket,
    address: std::net::SocketAddr,
}

fn accepting(in_flight: u32) -> Accepting {
    accepting_on(TcpListener::bind("127.0.0.1:0").unwrap(), in_flight)
}

fn accepting_on(listener: TcpListener, in_flight: u32) -> Accepting {
    let mut ring = Ring::builder().in_flight(in_flight).build().unwrap();
    let address = listener.local_addr().unwrap();
    let listener = ring.add(listener).unwrap();
    let ticket = ring.accept(listener).unwrap();
    ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    Accepting {
        ring,
        ticket,
        listener,
        address,
    }
}

impl Accepting {
    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// Polls until there are `count` connections.
    fn take(&mut self, count: usize) -> Vec<OwnedFd> {
        let (mut fds, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while fds.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} came", fds.len());
            let want = self.ticket;
            self.ring
                .poll(LIMIT, |event| match event {
                    Event::Accepted { ticket, fd, .. } => {
                        assert_eq!(ticket, want);
                        fds.push(fd);
                    }
                    other => panic!("{other:?}"),
                })
                .unwrap();
        }
        fds
    }
}

/// Polls until an accept ends; its errno.
fn ended(ring: &mut Ring, want: Ticket) -> i32 {
    let mut errno = None;
    while errno.is_none() {
        ring.poll(LIMIT, |event| match event {
            Event::AcceptEnded { ticket, error, .. } => {
                assert_eq!(ticket, want);
                errno = error.raw_os_error();
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    errno.unwrap()
}

#[test]
fn one_accept_tells_every_connection() {
    let mut accepting = accepting(4);
    for round in 0..20_u8 {
        let mut near = accepting.connect();
        let mut fds = accepting.take(1);
        near.write_all(&[round]).unwrap();
        let mut far = TcpStream::from(fds.pop().unwrap());
        let mut byte = [0];
        far.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [round], "the connection is the one that came");
    }
    assert_eq!(accepting.ring.in_flight(), 1);
    accepting.ring.cancel(accepting.ticket).unwrap();
    assert_eq!(ended(&mut accepting.ring, accepting.ticket), 125);
    assert_eq!(accepting.ring.in_flight(), 0);
    assert_eq!(accepting.ring.strays(), Strays::default());
    let again = accepting.ring.cancel(accepting.ticket);
    assert!(matches!(again, Err(Error::UnknownRequest)));
}

#[rstest]
fn connections_are_blocking_and_closed_on_exec(#[values(false, true)] non_blocking: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The accept waits all the same.
    listener.set_nonblocking(non_blocking).unwrap();
    let mut accepting = accepting_on(listener, 4);
    let _near = accepting.connect();
    let fd = accepting.take(1).pop().unwrap();
    let flags = FdFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFD).unwrap());
    assert!(flags.contains(FdFlag::FD_CLOEXEC));
    let mode = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL).unwrap());
    assert!(!mode.contains(OFlag::O_NONBLOCK));
}

#[test]
fn an_accept_that_overflows_the_queue_goes_on() {
    // A completion queue of two entries.
    let mut accepting = accepting(1);
    for _ in 0..3 {
        let _near: Vec<_> = (0..30).map(|_| accepting.connect()).collect();
        assert_eq!(accepting.take(30).len(), 30);
    }
    assert_eq!(accepting.ring.strays(), Strays::default());
}

#[test]
fn an_event_that_is_dropped_closes_the_connection() {
    let mut accepting = accepting(4);
    let mut near = accepting.connect();
    assert_eq!(accepting.ring.poll(LIMIT, |_| ()).unwrap(), 1);
    assert_eq!(near.read(&mut [0]).unwrap(), 0, "the peer has closed");
}

#[test]
fn a_panicking_handler_closes_the_connection_it_was_given_and_no_other() {
    let mut accepting = accepting(4);
    let mut first = accepting.connect();
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        accepting.ring.poll(LIMIT, |_| panic!("the user's handler"))
    }));
    assert!(polled.is_err());
    assert_eq!(first.read(&mut [0]).unwrap(), 0);
    let _second = accepting.connect();
    assert_eq!(accepting.take(1).len(), 1);
}

#[test]
fn what_was_accepted_and_not_told_is_closed_with_the_ring() {
    let accepting = accepting(4);
    let near: Vec<_> = (0..6).map(|_| accepting.connect()).collect();
    drop(accepting);
    for mut near in near {
        // Closed or reset, but not left open: that would block.
        near.set_read_timeout(Some(PATIENCE)).unwrap();
        match near.read(&mut [0]) {
            Ok(read) => assert_eq!(read, 0),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn a_listener_that_is_removed_is_not_accepted_on_any_more() {
    let mut accepting = accepting(4);
    let second = accepting.ring.accept(accepting.listener).unwrap();
    accepting.ring.poll(Wait::No, |_| ()).unwrap();
    let listener = accepting.ring.remove(accepting.listener).unwrap();
    let mut told = Vec::new();
    while told.len() < 2 {
        accepting
            .ring
            .poll(LIMIT, |event| match event {
                Event::AcceptEnded { ticket, error, .. } => {
                    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
                    told.push(ticket);
                }
                other => panic!("{other:?}"),
            })
            .unwrap();
    }
    assert!(told.contains(&accepting.ticket) && told.contains(&second));
    // What connects now is its owner's.
    let listener = TcpListener::from(listener);
    let _near = accepting.connect();
    listener.accept().unwrap();
    assert_eq!(accepting.ring.in_flight(), 0);
    assert_eq!(accepting.ring.strays(), Strays::default());
}

#[rstest]
#[case::does_not_listen(Unfit::Unbound, 22)]
#[case::cannot_listen(Unfit::Udp, 95)]
#[case::is_no_socket(Unfit::File, 88)]
fn what_cannot_accept_ends_it(#[case] of: Unfit, #[case] errno: i32) {
    let mut ring = Ring::builder().build().unwrap();
    let socket = ring.add(of.make()).unwrap();
    let ticket = ring.accept(socket).unwrap();
    assert_eq!(ended(&mut ring, ticket), errno);
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
}

enum Unfit {
    Unbound,
    Udp,
    File,
}

impl Unfit {
    fn make(self) -> OwnedFd {
        match self {
            Self::Unbound => {
                let kind = socket2::Type::STREAM;
                let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None);
                let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
                let socket = socket.unwrap();
                socket.bind(&any.into()).unwrap();
                socket.into()
            }
            Self::Udp => UdpSocket::bind("127.0.0.1:0").unwrap().into(),
            Self::File => std::fs::File::open("/dev/null").unwrap().into(),
        }
    }
}

#[test]
fn another_rings_listener_is_not_accepted_on() {
    let mut ring = Ring::builder().build().unwrap();
    let accepting = accepting(4);
    let refused = ring.accept(accepting.listener);
    assert!(matches!(refused, Err(Error::UnknownSocket)));
}
