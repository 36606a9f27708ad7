//! What is refused, and comes back.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use netprims::Error;
use netprims::ring::{Rejected, Ring, ZcPolicy};
use rstest::rstest;

use super::{finish, tcp, udp};

#[test]
fn rejected_sends_give_the_buffer_back() {
    let mut ring = Ring::builder().in_flight(1).build().unwrap();
    let mut other = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(2, 8).unwrap();
    let socket = ring.add(udp().0).unwrap();
    let removed = ring.add(udp().0).unwrap();
    drop(ring.remove(removed).unwrap());

    let reject = |ring: &mut Ring, socket, buf| -> Rejected {
        ring.send(socket, buf, ZcPolicy::Always).unwrap_err()
    };
    let mut buf = pool.take().unwrap();
    buf.fill(9);
    let rejected = reject(&mut ring, removed, buf);
    assert!(matches!(rejected.error, Error::UnknownSocket));
    let rejected = reject(&mut other, socket, rejected.buf);
    assert!(
        matches!(rejected.error, Error::UnknownSocket),
        "another ring's handle"
    );
    let theirs = other.add(udp().0).unwrap();
    let rejected = reject(&mut other, theirs, rejected.buf);
    assert!(matches!(rejected.error, Error::ForeignBuffer));
    ring.send(socket, pool.take().unwrap(), ZcPolicy::Always)
        .unwrap();
    let rejected = reject(&mut ring, socket, rejected.buf);
    assert!(matches!(rejected.error, Error::RingFull));
    assert_eq!(&rejected.buf[..], [9; 8], "unchanged");
    assert!(matches!(ring.remove(removed), Err(Error::UnknownSocket)));
    assert!(matches!(other.remove(socket), Err(Error::UnknownSocket)));
}

#[test]
fn a_removed_sockets_number_is_not_sent_to_by_what_was_queued() {
    // Tests on other threads open descriptors too and may take the number first: then once more.
    let reused = (0..1000).any(|_| a_queued_send_survives_the_reuse_of_its_sockets_number());
    assert!(reused, "the number was never used again: no test");
}

/// Whether the number was used again.
fn a_queued_send_survives_the_reuse_of_its_sockets_number() -> bool {
    let (near, mut far) = tcp();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(1, 5).unwrap();
    let socket = ring.add(near).unwrap();
    let mut buf = pool.take().unwrap();
    buf.copy_from_slice(b"first");
    ring.send(socket, buf, ZcPolicy::Always).unwrap();
    let fd = ring.remove(socket).unwrap();
    let number = fd.as_raw_fd();
    drop(fd);
    // Whoever opens next gets the number; the queued send must not go there.
    let (thief, mut peer) = UnixStream::pair().unwrap();
    let reused = thief.as_raw_fd() == number;
    finish(&mut ring).result.unwrap();
    let mut bytes = [0; 5];
    far.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"first");
    drop(thief);
    assert_eq!(
        peer.read(&mut bytes).unwrap(),
        0,
        "nothing went to the number's new owner"
    );
    reused
}

#[rstest]
#[case(0, 8)]
#[case(8, 0)]
#[case(3, 1 << 30)]
fn an_impossible_pool_is_refused(#[case] slots: u32, #[case] slot_len: u32) {
    let mut ring = Ring::builder().build().unwrap();
    assert!(matches!(
        ring.tx_pool(slots, slot_len),
        Err(Error::InvalidValue { .. })
    ));
}

#[rstest]
#[case(0)]
#[case(32_769)]
#[case(u32::MAX)]
fn an_impossible_ring_is_refused(#[case] in_flight: u32) {
    let built = Ring::builder().in_flight(in_flight).build();
    assert!(matches!(built, Err(Error::InvalidValue { .. })));
}

#[test]
fn the_largest_ring_can_be_built() {
    Ring::builder().in_flight(32_768).build().unwrap();
}

#[test]
fn a_length_beyond_the_slot_is_refused() {
    let mut ring = Ring::builder().build().unwrap();
    let mut buf = ring.tx_pool(1, 8).unwrap().take().unwrap();
    assert!(buf.set_len(9).is_err());
    assert_eq!(buf.len(), 8);
}
