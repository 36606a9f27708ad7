//! Requests that move no bytes.

use std::io::Read;
use std::net::Shutdown;
use std::time::Duration;

use netprims::Error;
use netprims::ring::{Event, Ring, Strays, Ticket, Wait, ZcPolicy};
use socket2::SockRef;

use super::{LIMIT, tcp, udp};

/// Polls until a shutdown is told.
fn shut_down(ring: &mut Ring, ticket: Ticket) -> Option<i32> {
    let mut told = None;
    while told.is_none() {
        ring.poll(LIMIT, |event| match event {
            Event::ShutDown {
                ticket: which,
                result,
                ..
            } => {
                assert_eq!(which, ticket);
                told = Some(result.err().map(|error| error.raw_os_error().unwrap()));
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    told.unwrap()
}

#[test]
fn a_shutdown_ends_the_stream() {
    let (near, mut far) = tcp();
    let mut ring = Ring::builder().build().unwrap();
    let socket = ring.add(near).unwrap();
    let ticket = ring.shutdown(socket, Shutdown::Write).unwrap();
    assert_eq!(ring.in_flight(), 1);
    assert_eq!(shut_down(&mut ring, ticket), None);
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
}

#[test]
fn a_shutdown_of_what_is_not_connected_fails() {
    let mut ring = Ring::builder().build().unwrap();
    let unconnected = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = ring.add(unconnected).unwrap();
    let ticket = ring.shutdown(socket, Shutdown::Both).unwrap();
    assert_eq!(shut_down(&mut ring, ticket), Some(107), "ENOTCONN");
}

#[test]
fn a_cancelled_send_tells_its_end() {
    let (near, far) = tcp();
    SockRef::from(&near).set_send_buffer_size(1 << 16).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(1, 1 << 23).unwrap();
    let socket = ring.add(near).unwrap();
    let buf = pool.take().unwrap();
    let ticket = ring.send(socket, buf, ZcPolicy::Never).unwrap();
    ring.poll(netprims::ring::Wait::No, |event| panic!("{event:?}"))
        .unwrap();
    ring.cancel(ticket).unwrap();
    let mut result = None;
    while pool.outstanding() > 0 {
        ring.poll(LIMIT, |event| {
            if let Event::Sent { result: told, .. } = event {
                result = Some(told);
            }
        })
        .unwrap();
    }
    // The stream had room for a part of it.
    let taken = result.unwrap().unwrap();
    assert!(taken > 0 && taken < 1 << 23, "{taken}");
    assert_eq!(ring.strays(), Strays::default());
    drop(far);
}

#[test]
fn what_is_over_cannot_be_cancelled() {
    let mut ring = Ring::builder().build().unwrap();
    let socket = ring.add(udp().0).unwrap();
    let ticket = ring.shutdown(socket, Shutdown::Both).unwrap();
    shut_down(&mut ring, ticket);
    assert!(matches!(ring.cancel(ticket), Err(Error::UnknownRequest)));
}

#[test]
fn another_rings_socket_is_not_shut_down() {
    let mut ring = Ring::builder().build().unwrap();
    let mut other = Ring::builder().build().unwrap();
    let socket = other.add(tcp().0).unwrap();
    let refused = ring.shutdown(socket, Shutdown::Both);
    assert!(matches!(refused, Err(Error::UnknownSocket)));
}

#[test]
fn another_rings_ticket_cancels_nothing() {
    let mut ring = Ring::builder().build().unwrap();
    let mut other = Ring::builder().build().unwrap();
    let long = Duration::from_secs(3600);
    // Both are the first request of their ring: but for that, they would be equal.
    let (ours, theirs) = (ring.timeout(long).unwrap(), other.timeout(long).unwrap());
    assert_ne!(ours, theirs);
    assert_eq!(ours.index(), theirs.index());
    let refused = ring.cancel(theirs).unwrap_err();
    assert!(matches!(refused, Error::ForeignTicket), "{refused}");
    let told = ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    assert_eq!((told, ring.in_flight()), (0, 1));
}
