//! Packets and datagrams keep their bounds on every rung.

use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use netprims::Error;
use netprims::ring::{Event, ReceiveEnd, Ring, Strays, Wait};
use rstest::rstest;
use socket2::SockRef;

use super::streams::{byte, finish, plan, wrong};
use super::{LIMIT, PATIENCE, udp};

#[rstest]
fn packets_keep_their_bounds_and_have_an_end(#[values("plain", "multishot", "bundles")] way: &str) {
    let kind = socket2::Type::SEQPACKET;
    let (near, far) = socket2::Socket::pair(socket2::Domain::UNIX, kind, None).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan(way, 4, 100)).unwrap();
    let socket = ring.add(near).unwrap();
    let ticket = ring.receive(socket, &pool).unwrap();
    let lens = [1, 100, 7, 150];
    for len in lens {
        far.send(&vec![1; len]).unwrap();
    }
    let got = datagrams(&mut ring, lens.len());
    assert!(got.iter().map(Vec::len).eq([1, 100, 7, 100]));
    drop(far);
    assert!(matches!(finish(&mut ring, ticket), (ReceiveEnd::Closed, 0)));
}

/// The datagrams a ring receives, until there are so many.
pub(super) fn datagrams(ring: &mut Ring, count: usize) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while got.len() < count {
        assert!(Instant::now() < deadline, "{} of {count}", got.len());
        ring.poll(LIMIT, |event| match event {
            Event::Received { chunk, .. } => got.push(chunk.to_vec()),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    got
}

#[rstest]
fn datagrams_keep_their_bounds(
    #[values("plain", "multishot", "bundles")] way: &str,
    #[values("udp", "unix")] kind: &str,
) {
    let (near, far): (OwnedFd, OwnedFd) = if kind == "udp" {
        let (near, far) = udp();
        (near.into(), far.into())
    } else {
        let (near, far) = UnixDatagram::pair().unwrap();
        (near.into(), far.into())
    };
    let near_address = SockRef::from(&near).local_addr().unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan(way, 8, 1000)).unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &pool).unwrap();
    // Longer than a slot: cut.
    let lens = [0, 1, 999, 1000, 1400, 0, 0, 7, 500, 500];
    for round in 0..20 {
        for len in lens {
            let bytes: Vec<u8> = (round..round + len).map(byte).collect();
            let far = SockRef::from(&far);
            let sent = if kind == "udp" {
                far.send_to(&bytes, &near_address)
            } else {
                far.send(&bytes)
            };
            assert_eq!(sent.unwrap(), len);
        }
        let got = datagrams(&mut ring, lens.len());
        for (len, got) in lens.into_iter().zip(got) {
            assert_eq!((got.len(), wrong(round, &got)), (len.min(1000), 0));
        }
    }
    assert_eq!(pool.stats().stepped_down, 0);
    assert_eq!(ring.strays(), Strays::default());
}

#[test]
fn an_incremental_pool_is_refused_for_datagrams() {
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan("incremental", 4, 4096)).unwrap();
    let socket = ring.add(udp().0).unwrap();
    let received = ring.receive(socket, &pool);
    let is_refused = matches!(
        received,
        Err(Error::InvalidValue {
            option: "incremental",
            ..
        })
    );
    // A kernel that cannot has made another pool of it.
    assert_eq!(is_refused, pool.report().incremental, "{received:?}");
}

/// A socket that is shut down for reading is not one whose peer sends empty datagrams: a receive ends, or, where the kernel
/// says nothing, waits.
#[rstest]
fn a_socket_that_is_shut_down_for_reading_tells_no_datagrams(
    #[values("plain", "plain messages", "multishot", "messages")] way: &str,
    #[values("udp", "unix")] kind: &str,
) {
    let (near, far): (OwnedFd, OwnedFd) = match kind {
        "udp" => {
            let (near, far) = udp();
            let address = SockRef::from(&far).local_addr().unwrap();
            SockRef::from(&near).connect(&address).unwrap();
            (near.into(), far.into())
        }
        _ => {
            let (near, far) = UnixDatagram::pair().unwrap();
            (near.into(), far.into())
        }
    };
    SockRef::from(&near).shutdown(Shutdown::Read).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = match way {
        "messages" => ring.rx_pool(&plan("multishot", 8, 1000).messages(true)),
        "plain messages" => ring.rx_pool(&plan("plain", 8, 1000).messages(true)),
        way => ring.rx_pool(&plan(way, 8, 1000)),
    };
    let pool = pool.unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &pool).unwrap();
    let (mut empty, mut ends) = (0, Vec::new());
    for _ in 0..20 {
        let wait = Wait::AtMost(Duration::from_millis(2));
        ring.poll(wait, |event| match event {
            Event::Received { .. } => empty += 1,
            Event::ReceiveEnded { end, .. } => ends.push(end),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert_eq!(empty, 0);
    match way.starts_with("plain") {
        true => assert!(matches!(*ends, [ReceiveEnd::Closed]), "{ends:?}"),
        false => assert!(ends.len() <= 1, "{ends:?}"),
    }
    drop(far);
}
