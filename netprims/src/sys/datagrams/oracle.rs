//! What the kernel writes, seen in the memory around it.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

use rstest::rstest;

use super::*;

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
    for (nth, buffer) in receiver.buffers.chunks_exact(size).enumerate() {
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
    assert!(receiver.arrival(2).is_none());
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
            assert!(!receiver.arrival(0).unwrap().control.is_empty());
        } else {
            let one = receive_one(far.as_fd(), &mut buffer).unwrap();
            assert_eq!(one.bytes, 1);
            assert!(!one.control().is_empty());
        }
        // The end of the stream shows that no copy of the other end is left.
        end.set_nonblocking(true).unwrap();
        let read = std::io::Read::read(&mut &end, &mut [0; 1]);
        assert_eq!(read.unwrap(), 0, "batch: {batch}");
    }
}
