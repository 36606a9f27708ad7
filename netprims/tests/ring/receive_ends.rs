//! How receives end.

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::time::Duration;

use netprims::Error;
use netprims::ring::{ReceiveEnd, Wait};
use rstest::rstest;
use socket2::SockRef;

use super::streams::{Reader, byte, finish, plan, receiving};
use super::{PATIENCE, tcp};

#[rstest]
fn a_receive_is_cancelled(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[values(false, true)] was_polled: bool,
) {
    let (near, far) = tcp();
    let (mut ring, pool, socket, ticket) = receiving(near, way);
    if was_polled {
        ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    }
    ring.cancel(ticket).unwrap();
    assert!(matches!(
        finish(&mut ring, ticket),
        (ReceiveEnd::Cancelled, 0)
    ));
    assert!(matches!(ring.cancel(ticket), Err(Error::UnknownRequest)));
    // And begun again.
    let again = ring.receive(socket, &pool).unwrap();
    drop(far);
    assert!(matches!(finish(&mut ring, again), (ReceiveEnd::Closed, 0)));
}

#[rstest]
fn a_starved_receive_is_cancelled(#[values("plain", "multishot")] way: &str) {
    let (near, mut far) = tcp();
    let mut reader = Reader::new(near, &plan(way, 1, 8));
    far.write_all(&(0..16).map(byte).collect::<Vec<_>>())
        .unwrap();
    let mut kept = Vec::new();
    while reader.stats().starved == 0 {
        kept.extend(reader.poll(Wait::AtMost(Duration::from_millis(2)), |_| true));
    }
    reader.ring.cancel(reader.ticket).unwrap();
    let (end, bytes) = finish(&mut reader.ring, reader.ticket);
    assert!(matches!(end, ReceiveEnd::Cancelled), "{end:?}");
    assert_eq!((kept.len(), bytes), (1, 0));
}

#[rstest]
fn a_removed_socket_ends_its_receive_and_closes(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[values(false, true)] was_polled: bool,
) {
    let (near, mut far) = tcp();
    let (mut ring, _pool, socket, ticket) = receiving(near, way);
    if was_polled {
        ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    }
    drop(ring.remove(socket).unwrap());
    let (end, _) = finish(&mut ring, ticket);
    assert!(matches!(end, ReceiveEnd::Cancelled), "{end:?}");
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(
        far.read(&mut [0]).unwrap(),
        0,
        "nobody holds the connection open"
    );
}

#[rstest]
#[case::not_connected("unconnected", libc::ENOTCONN)]
#[case::reset("reset", libc::ECONNRESET)]
#[case::no_socket("file", libc::ENOTSOCK)]
fn a_receive_that_fails_says_why(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
    #[case] what: &str,
    #[case] errno: i32,
) {
    let near: OwnedFd = match what {
        "unconnected" => socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .unwrap()
            .into(),
        "reset" => {
            let (near, far) = tcp();
            SockRef::from(&far)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(far);
            near.into()
        }
        _ => File::open("/dev/null").unwrap().into(),
    };
    let (mut ring, _pool, _, ticket) = receiving(near, way);
    match finish(&mut ring, ticket).0 {
        ReceiveEnd::Failed(error) => assert_eq!(error.raw_os_error(), Some(errno)),
        end => panic!("{end:?}"),
    }
}

#[rstest]
fn a_socket_that_does_not_block_is_waited_for(
    #[values("plain", "multishot", "bundles", "incremental")] way: &str,
) {
    let (near, mut far) = tcp();
    near.set_nonblocking(true).unwrap();
    let (mut ring, _pool, _, ticket) = receiving(near, way);
    ring.poll(Wait::AtMost(Duration::from_millis(5)), |event| {
        panic!("{event:?}")
    })
    .unwrap();
    far.write_all(b"later").unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(finish(&mut ring, ticket), (ReceiveEnd::Closed, 5)));
}
