//! Which of the causes of an errno it was.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use netprims::datagram::{Fault, Outgoing, SendBatch};
use netprims::tuning::{Clock, PathMtu, Tuning, TxTime};
use rstest::rstest;
use socket2::{Domain, Protocol, Socket, Type};

use crate::link::ip;
use crate::netns::{Fresh, in_fresh};
use crate::sys::raw_option;
use crate::{collect, pair, refused, tune};

#[test]
fn a_stream_is_refused_before_a_byte_goes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    let mut batch = SendBatch::new(4).unwrap();
    let (sent, fault, _) = refused(batch.send(&near, &[Outgoing::new(b"x")]));
    assert_eq!((fault, sent.bytes()), (Fault::Stream, 0));
    drop(near);
    assert_eq!(far.read(&mut [0; 8]).unwrap(), 0);
    let (near, _far) = UnixStream::pair().unwrap();
    let (_, fault, _) = refused(batch.send(&near, &[Outgoing::new(b"x")]));
    assert_eq!(fault, Fault::Stream);
}

#[test]
fn a_clock_is_not_missed_where_there_is_one() {
    let near = UdpSocket::bind("[::]:0").unwrap();
    tune(&near, Tuning::new().txtime(TxTime::new(Clock::Monotonic)));
    // A source this host does not have.
    let messages = [Outgoing::new(b"x")
        .to("[::1]:9".parse().unwrap())
        .from("2001:db8::1".parse().unwrap())
        .departure(Duration::from_nanos(1))];
    let mut batch = SendBatch::new(1).unwrap();
    let (_, fault, errno) = refused(batch.send(&near, &messages));
    assert_eq!((fault, errno), (Fault::Other, Some(libc::EINVAL)));
}

/// `SO_NO_CHECK`, and IPv6's own option.
#[rstest]
#[case::v4("127.0.0.1:0", libc::SOL_SOCKET, libc::SO_NO_CHECK)]
#[case::v6("[::1]:0", libc::IPPROTO_UDP, 101)]
fn a_socket_without_checksums_cuts_nothing(
    #[case] address: &str,
    #[case] level: i32,
    #[case] option: i32,
) {
    let (near, _far) = pair(address);
    raw_option::set(&near, level, option, 1).unwrap();
    let mut batch = SendBatch::new(1).unwrap();
    let (_, fault, errno) = refused(batch.send(&near, &[Outgoing::new(b"xxx").segment(1)]));
    assert_eq!((fault, errno), (Fault::NoChecksums, Some(libc::EINVAL)));
}

#[test]
fn what_ipv6_could_take_is_over_the_mtu_and_not_too_long() {
    let test = "causes::what_ipv6_could_take_is_over_the_mtu_and_not_too_long";
    in_fresh(Fresh::Network, test, || {
        ip("link set lo mtu 65536 up");
        let (near, _far) = pair("[::1]:0");
        tune(&near, Tuning::new().path_mtu(PathMtu::Do));
        let payload = vec![1; 65_528];
        let mut batch = SendBatch::new(1).unwrap();
        for (len, want) in [(65_520, Fault::OverMtu), (65_528, Fault::TooLong)] {
            let (_, fault, errno) = refused(batch.send(&near, &[Outgoing::new(&payload[..len])]));
            assert_eq!((fault, errno), (want, Some(libc::EMSGSIZE)), "{len}");
        }
    });
}

#[test]
fn the_sockets_own_segments_are_what_does_not_fit() {
    let test = "causes::the_sockets_own_segments_are_what_does_not_fit";
    in_fresh(Fresh::Network, test, || {
        ip("link set lo mtu 1500 up");
        let (near, _far) = pair("127.0.0.1:0");
        let mut batch = SendBatch::new(1).unwrap();
        let payload = [1; 6000];
        tune(&near, Tuning::new().udp_segment(3000));
        let (_, fault, errno) = refused(batch.send(&near, &[Outgoing::new(&payload)]));
        assert_eq!(fault, Fault::Segment, "{errno:?}");
        // More than any kernel takes, which is 128.
        tune(&near, Tuning::new().udp_segment(40));
        let (_, fault, errno) = refused(batch.send(&near, &[Outgoing::new(&payload)]));
        assert_eq!((fault, errno), (Fault::Segments, Some(libc::EINVAL)));
    });
}

#[test]
fn no_port_is_no_full_buffer() {
    let test = "causes::no_port_is_no_full_buffer";
    in_fresh(Fresh::Network, test, || {
        ip("link set lo up");
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000").unwrap();
        // The parity of a port counts: there is one that is even, and it is taken.
        let _taken = UdpSocket::bind("0.0.0.0:40000").unwrap();
        let near = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        let to: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let mut batch = SendBatch::new(1).unwrap();
        let (_, fault, errno) = refused(batch.send(&near, &[Outgoing::new(b"x").to(to)]));
        assert_eq!((fault, errno), (Fault::NoPort, Some(libc::EAGAIN)));
    });
}

/// Says to the kernel what a router with a smaller MTU behind it would, of a datagram between the two (ICMP).
fn too_long_for_a_router(near: &UdpSocket, far: &UdpSocket) {
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port().to_be_bytes();
    let host = [127, 0, 0, 1];
    // Type and code (fragmentation needed), checksum, nothing, the MTU.
    let mut answer = vec![3, 4, 0, 0, 0, 0];
    answer.extend(1280_u16.to_be_bytes());
    // The head of the datagram: don't fragment, UDP, from near to far.
    let ip = [0x45, 0, 0x05, 0x78, 0, 1, 0x40, 0, 64, 17, 0, 0];
    answer.extend([&ip[..], &host, &host, &port(near), &port(far)].concat());
    answer.extend([0x05, 0x64, 0, 0]);
    let words = answer.chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    answer[2..4].copy_from_slice(&sum.to_be_bytes());
    let router = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
    let to: SocketAddr = "127.0.0.1:0".parse().unwrap();
    router.send_to(&answer, &to.into()).unwrap();
}

#[test]
fn an_answer_to_an_earlier_datagram_is_blamed_on_no_message() {
    let test = "causes::an_answer_to_an_earlier_datagram_is_blamed_on_no_message";
    in_fresh(Fresh::Network, test, || {
        ip("link set lo up");
        let (near, far) = pair("127.0.0.1:0");
        // The kernel blames it on whoever comes next.
        too_long_for_a_router(&near, &far);
        let error = near.send(b"x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        let mut batch = SendBatch::new(4).unwrap();
        for message in [Outgoing::new(b"xxxx"), Outgoing::new(b"xxxx").segment(2)] {
            too_long_for_a_router(&near, &far);
            let sent = batch.send(&near, &[message]).unwrap();
            assert_eq!((sent.messages(), sent.bytes()), (1, 4));
            let got = collect(&far, sent.datagrams(), |_| ());
            assert_eq!(got.concat(), b"xxxx");
        }
    });
}
