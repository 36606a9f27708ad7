//! A socket that had no room for what it was sent.

use std::os::fd::{AsFd, OwnedFd};

use netprims::ring::{Event, ReceiveEnd, Ring, Wait};
use rstest::rstest;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::LIMIT;
use super::streams::plan;

/// `NLMSG_NOOP` to the kernel, which acknowledges it: `struct nlmsghdr` with `NLM_F_REQUEST` and `NLM_F_ACK`.
fn request() -> [u8; 16] {
    let mut header = [0; 16];
    header[..4].copy_from_slice(&16_u32.to_ne_bytes());
    header[4..6].copy_from_slice(&1_u16.to_ne_bytes());
    header[6..8].copy_from_slice(&5_u16.to_ne_bytes());
    header
}

/// Not to be told would be to believe that one has seen every change.
#[rstest]
fn a_netlink_socket_that_overran_ends_its_receive(
    #[values("plain", "multishot", "bundles")] way: &str,
) {
    let route = Protocol::from(libc::NETLINK_ROUTE);
    let near = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(route)).unwrap();
    near.set_recv_buffer_size(1).unwrap();
    let copy = near.as_fd().try_clone_to_owned().unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.rx_pool(&plan(way, 8, 1000)).unwrap();
    let socket = ring.add(OwnedFd::from(near)).unwrap();
    let first = ring.receive(socket, &pool).unwrap();
    ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    for _ in 0..100 {
        SockRef::from(&copy).send(&request()).unwrap();
    }
    let mut ended = None;
    while ended.is_none() {
        let told = ring.poll(LIMIT, |event| match event {
            Event::Received { .. } => {}
            Event::ReceiveEnded { ticket, end, .. } => {
                assert_eq!(ticket, first);
                ended = Some(end);
            }
            other => panic!("{other:?}"),
        });
        assert!(told.unwrap() > 0, "it waits for ever");
    }
    let Some(ReceiveEnd::Failed(error)) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS));
    // What it had room for is there, and it goes on.
    let second = ring.receive(socket, &pool).unwrap();
    ring.poll(LIMIT, |event| match event {
        Event::Received { ticket, chunk, .. } => assert_eq!((ticket, chunk[4]), (second, 2)),
        other => panic!("{other:?}"),
    })
    .unwrap();
}
