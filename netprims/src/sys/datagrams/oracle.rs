//! What the kernel writes, seen in the memory around it.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram;

use rstest::rstest;

use super::*;
use crate::sys::control::messages;
use crate::sys::sockopt::{PACKET_INFO_V4, RECEIVE_TOS};

const CANARY: u8 = 0xa5;

fn pair() -> (UdpSocket, UdpSocket) {
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    (near, far)
}

#[rstest]
fn the_kernel_writes_what_arrived_and_nothing_beside_it(
    #[values(1, 7, 64)] size: usize,
    #[values(0, 1, 6, 7, 8, 63, 64, 65, 500)] len: usize,
) {
    let (near, far) = pair();
    let mut receiver = Receiver::new(4, size);
    receiver.paint(CANARY);
    // Less than there is room for: the buffers of the rest are canaries too.
    for _ in 0..2 {
        near.send(&vec![0x11; len]).unwrap();
    }
    assert_eq!(receiver.receive(far.as_fd(), true).unwrap(), 2);
    let kept = len.min(size);
    let peer = near.local_addr().unwrap();
    for nth in 0..2 {
        let arrival = receiver.arrival(nth).unwrap();
        assert_eq!(arrival.bytes, vec![0x11; kept]);
        assert_eq!(arrival.data_cut, len > size);
        assert_eq!(arrival.name.len(), size_of::<libc::sockaddr_in>());
        let SocketAddr::V4(peer) = peer else { panic!() };
        assert_eq!(arrival.name[4..8], peer.ip().octets());
        assert!(arrival.control.is_empty() && !arrival.control_cut);
    }
    for (nth, buffer) in receiver.buffers.all().chunks_exact(size).enumerate() {
        let written = if nth < 2 { kept } else { 0 };
        let (written, untouched) = buffer.split_at(written);
        assert!(
            written.iter().all(|byte| *byte == 0x11),
            "{nth}: {buffer:?}"
        );
        assert!(
            untouched.iter().all(|byte| *byte == CANARY),
            "{nth}: {buffer:?}"
        );
    }
    // Of names the kernel wrote those that came, and no control message.
    for (nth, name) in receiver.names().iter().enumerate() {
        let written = if nth < 2 {
            size_of::<libc::sockaddr_in>()
        } else {
            0
        };
        assert!(name[written..].iter().all(|byte| *byte == CANARY), "{nth}");
    }
    for control in receiver.controls() {
        assert!(control.iter().all(|byte| *byte == CANARY));
    }
    assert!(receiver.arrival(2).is_none());
}

#[rstest]
fn control_messages_end_where_the_kernel_says(#[values(0, 1, 2)] asked: usize) {
    let (near, far) = pair();
    let far = socket2::Socket::from(far);
    // `IP_PKTINFO` and `IP_RECVTOS`: a header of 16 bytes, what it is about, padding.
    let mut written = 0;
    for (option, len) in [(&PACKET_INFO_V4, 16 + 12 + 4), (&RECEIVE_TOS, 16 + 1 + 7)]
        .iter()
        .take(asked)
    {
        option.set_flag(&far, true).unwrap();
        written += len;
    }
    let mut receiver = Receiver::new(2, 8);
    // Twice: the lengths the kernel left behind are not its room.
    for _ in 0..2 {
        receiver.paint(CANARY);
        near.send(b"x").unwrap();
        assert_eq!(receiver.receive(far.as_fd(), true).unwrap(), 1);
        let arrival = receiver.arrival(0).unwrap();
        assert_eq!(arrival.control.len(), written);
        assert!(!arrival.control_cut);
        assert_eq!(arrival.name.len(), size_of::<libc::sockaddr_in>());
        let controls = receiver.controls();
        assert!(controls[0][written..].iter().all(|byte| *byte == CANARY));
        assert!(controls[1].iter().all(|byte| *byte == CANARY));
    }
}

/// The kernel says the whole length of a name it has cut; the next name has no more room for it.
#[test]
fn a_name_too_long_stays_within_its_room() {
    let bound = |end: &str| {
        let name = format!("netprims {} {end}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
        (UnixDatagram::bind_addr(&address).unwrap(), address)
    };
    let (near, _) = bound(&"x".repeat(80));
    let (far, address) = bound("far");
    let mut receiver = Receiver::new(2, 8);
    for _ in 0..3 {
        receiver.paint(CANARY);
        near.send_to_addr(b"x", &address).unwrap();
        assert_eq!(receiver.receive(far.as_fd(), true).unwrap(), 1);
        assert_eq!(receiver.arrival(0).unwrap().name.len(), NAME);
        let names = receiver.names();
        assert!(!names[0].contains(&CANARY));
        assert!(names[1].iter().all(|byte| *byte == CANARY));
    }
}

#[test]
fn what_came_before_is_gone_when_nothing_comes() {
    let (near, far) = pair();
    let mut receiver = Receiver::new(2, 8);
    near.send(b"once").unwrap();
    assert_eq!(receiver.receive(far.as_fd(), true).unwrap(), 1);
    assert_eq!(receiver.arrival(0).unwrap().bytes, b"once");
    let error = receiver.receive(far.as_fd(), false).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(receiver.arrival(0).is_none() && receiver.arrived() == 0);
}

/// The numbers of what was closed are wiped out.
fn names_no_descriptor(control: &[u8], count: usize) {
    let all: Vec<_> = messages(control).collect();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].kind, libc::SCM_RIGHTS);
    assert_eq!(all[0].payload, vec![0xff; 4 * count]);
}

#[test]
fn descriptors_nobody_asked_for_are_closed() {
    let mut buffer = [0; 8];
    for batch in [true, false] {
        let (near, far) = UnixDatagram::pair().unwrap();
        let (end, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        let fds = [writer.as_fd(), writer.as_fd()];
        crate::sys::rights::send(near.as_fd(), b"x", &fds).unwrap();
        drop(writer);
        let mut receiver = Receiver::new(2, 8);
        if batch {
            assert_eq!(receiver.receive(far.as_fd(), true).unwrap(), 1);
            let arrival = receiver.arrival(0).unwrap();
            names_no_descriptor(arrival.control, 2);
        } else {
            let one = receive_one(far.as_fd(), &mut buffer).unwrap();
            assert_eq!(one.bytes, 1);
            names_no_descriptor(one.control(), 2);
        }
        // The end of the stream shows that no copy of the other end is left.
        end.set_nonblocking(true).unwrap();
        let read = std::io::Read::read(&mut &end, &mut [0; 1]);
        assert_eq!(read.unwrap(), 0, "batch: {batch}");
    }
}
