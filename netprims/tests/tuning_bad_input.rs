//! What cannot be asked for: each is an error or a difference that names the option, its value and the reason, and the
//! socket has what it had, or what the report says.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::fmt::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use netprims::Error;
use netprims::socket::TcpBuilder;
use netprims::tuning::{
    Cause, Congestion, Dscp, Interface, Moment, Outcome, PortRange, SocketKind, Tuning, Ulp, Value,
};
use rstest::rstest;
use socket2::SockRef;

const ASK: Tuning = Tuning::new();
const SECOND: Duration = Duration::from_secs(1);

fn connected() -> (TcpStream, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (
        TcpStream::connect(listener.local_addr().unwrap()).unwrap(),
        listener,
    )
}

/// What the socket has, of what the tests ask for.
fn settings(socket: &TcpStream) -> String {
    let socket = SockRef::from(socket);
    let mut text = String::new();
    write!(
        text,
        "{:?}",
        (
            socket.recv_buffer_size().unwrap(),
            socket.send_buffer_size().unwrap(),
            socket.tcp_nodelay().unwrap(),
            socket.keepalive().unwrap(),
            socket.linger().unwrap(),
            socket.ttl_v4().unwrap(),
            socket.tos_v4().unwrap(),
        )
    )
    .unwrap();
    write!(
        text,
        "{:?}",
        (
            socket.tcp_keepalive_time().unwrap(),
            socket.tcp_keepalive_interval().unwrap(),
            socket.tcp_keepalive_retries().unwrap(),
            socket.tcp_user_timeout().unwrap(),
            socket.tcp_notsent_lowat().unwrap(),
            socket.busy_poll().unwrap(),
        )
    )
    .unwrap();
    text
}

#[rstest]
#[case(ASK.receive_buffer(0), "SO_RCVBUF = 0 bytes: a buffer needs at least one byte")]
#[case(ASK.receive_buffer(1 << 30), "SO_RCVBUF = 1073741824 bytes: the kernel keeps at most 1073741823 bytes")]
#[case(ASK.receive_buffer(1 << 31), "SO_RCVBUF = 2147483648 bytes: the kernel keeps at most 1073741823 bytes")]
#[case(ASK.receive_buffer(u32::MAX), "SO_RCVBUF = 4294967295 bytes: the kernel keeps at most 1073741823 bytes")]
#[case(ASK.receive_buffer_force(0), "SO_RCVBUFFORCE = 0 bytes: a buffer needs at least one byte")]
#[case(ASK.receive_buffer_force(1 << 31), "SO_RCVBUFFORCE = 2147483648 bytes: the kernel keeps at most 1073741823 bytes")]
#[case(ASK.send_buffer(0), "SO_SNDBUF = 0 bytes: a buffer needs at least one byte")]
#[case(ASK.send_buffer(1 << 31), "SO_SNDBUF = 2147483648 bytes: the kernel keeps at most 1073741823 bytes")]
#[case(ASK.send_buffer_force(0), "SO_SNDBUFFORCE = 0 bytes: a buffer needs at least one byte")]
#[case(ASK.send_buffer_force(1 << 31), "SO_SNDBUFFORCE = 2147483648 bytes: the kernel keeps at most 1073741823 bytes")]
#[case(ASK.incoming_cpu(1 << 31), "SO_INCOMING_CPU = 2147483648: a CPU has a number up to 2147483647")]
#[case(ASK.hop_limit(0), "IP_TTL = 0: a packet has 1 to 255 hops")]
#[case(ASK.hop_limit(256), "IP_TTL = 256: a packet has 1 to 255 hops")]
#[case(ASK.receive_low_water(0), "SO_RCVLOWAT = 0 bytes: the kernel takes 1 to 2147483647 bytes")]
#[case(ASK.receive_low_water(1 << 31), "SO_RCVLOWAT = 2147483648 bytes: the kernel takes 1 to 2147483647 bytes")]
#[case(ASK.peek_offset(1 << 31), "SO_PEEK_OFF = 2147483648 bytes: the kernel takes at most 2147483647 bytes")]
#[case(ASK.max_pacing_rate(0), "SO_MAX_PACING_RATE = 0 bytes/s: at no byte a second nothing is ever sent")]
#[case(ASK.linger(SECOND / 2), "SO_LINGER = 500000 µs: the kernel counts in whole seconds")]
#[case(ASK.linger(SECOND * (1 << 31)), "SO_LINGER = 2147483648000000 µs: the kernel takes at most 2147483647 seconds")]
#[case(ASK.keepalive_idle(Duration::ZERO), "TCP_KEEPIDLE = 0 µs: the kernel takes 1 to 32767 seconds")]
#[case(ASK.keepalive_interval(SECOND * 32_768), "TCP_KEEPINTVL = 32768000000 µs: the kernel takes 1 to 32767 seconds")]
#[case(ASK.keepalive_count(0), "TCP_KEEPCNT = 0: the kernel takes 1 to 127 probes")]
#[case(ASK.keepalive_count(128), "TCP_KEEPCNT = 128: the kernel takes 1 to 127 probes")]
#[case(ASK.user_timeout(SECOND / 1_000_000), "TCP_USER_TIMEOUT = 1 µs: the kernel counts in whole milliseconds")]
#[case(ASK.user_timeout(Duration::MAX), "TCP_USER_TIMEOUT = 18446744073709551615.999999999s: the kernel counts in whole milliseconds")]
#[case(ASK.max_segment(87), "TCP_MAXSEG = 87 bytes: the kernel takes segments of 88 to 32767 bytes")]
#[case(ASK.max_segment(32_768), "TCP_MAXSEG = 32768 bytes: the kernel takes segments of 88 to 32767 bytes")]
#[case(ASK.window_clamp(0), "TCP_WINDOW_CLAMP = 0 bytes: the kernel takes 1 to 2147483647 bytes")]
#[case(ASK.syn_count(0), "TCP_SYNCNT = 0: the kernel takes 1 to 127 retransmissions")]
#[case(ASK.syn_count(128), "TCP_SYNCNT = 128: the kernel takes 1 to 127 retransmissions")]
#[case(ASK.defer_accept(SECOND / 10), "TCP_DEFER_ACCEPT = 100000 µs: the kernel counts in whole seconds")]
#[case(ASK.fastopen(1 << 31), "TCP_FASTOPEN = 2147483648: the kernel takes at most 2147483647 connections")]
#[case(ASK.udp_segment(65_536), "UDP_SEGMENT = 65536 bytes: the kernel takes at most 65535 bytes")]
#[case(ASK.busy_poll(Duration::from_nanos(1)), "SO_BUSY_POLL = 1ns: the kernel counts in whole microseconds")]
#[case(ASK.busy_poll(SECOND * 3600), "SO_BUSY_POLL = 3600000000 µs: the kernel takes at most 2147483647 microseconds")]
#[case(ASK.busy_poll_budget(65_536), "SO_BUSY_POLL_BUDGET = 65536: the kernel takes at most 65535 packets")]
fn an_impossible_value_is_refused_before_anything_is_set(
    #[case] tuning: Tuning,
    #[case] text: &str,
) {
    let (stream, _listener) = connected();
    let before = settings(&stream);
    // Options on both sides of it in the order they are set.
    let mut all = tuning.nodelay(true).keepalive(true);
    if !text.starts_with("SO_SNDBUF =") {
        all = all.send_buffer(70_000);
    }
    let error = all.apply(&stream).unwrap_err();
    assert!(matches!(error, Error::InvalidValue { .. }), "{error:?}");
    assert_eq!(error.to_string(), text);
    assert_eq!(settings(&stream), before);
    let error = all.check(SocketKind::TcpV4).unwrap_err();
    assert_eq!(error.to_string(), text);
    // And so it can be told that the settings do change.
    let _ = ASK.nodelay(true).keepalive(true).apply(&stream).unwrap();
    assert_ne!(settings(&stream), before);
}

#[rstest]
#[case(Dscp::new(64).unwrap_err().to_string(), "IP_TOS = DSCP 64: a service class has six bits, 0 to 63")]
#[case(
    Interface::new("sixteen--letters").unwrap_err().to_string(),
    "SO_BINDTODEVICE = \"sixteen--letters\": a name has at most 15 bytes",
)]
#[case(
    Congestion::new("cubic\0").unwrap_err().to_string(),
    "TCP_CONGESTION = \"cubic\\x00\": it has a byte that no name has",
)]
#[case(
    PortRange::new(2, 1).unwrap_err().to_string(),
    "IP_LOCAL_PORT_RANGE = 2 to 1: a range begins at port 1 or above and does not end before it begins",
)]
fn a_value_that_cannot_be_has_no_type(#[case] text: String, #[case] want: &str) {
    assert_eq!(text, want);
}

#[derive(Clone, Copy)]
enum On {
    Bound,
    Listening,
    Connected,
}

/// The socket, and what must live as long.
fn open(on: On) -> (OwnedFd, Option<TcpListener>) {
    match on {
        On::Bound => (UdpSocket::bind("[::]:0").unwrap().into(), None),
        On::Listening => (TcpListener::bind("127.0.0.1:0").unwrap().into(), None),
        On::Connected => {
            let (stream, listener) = connected();
            (stream.into(), Some(listener))
        }
    }
}

#[rstest]
#[case(ASK.only_v6(true), On::Bound, Moment::Open, Moment::Bound)]
#[case(ASK.freebind(true), On::Bound, Moment::Open, Moment::Bound)]
#[case(ASK.bind_address_no_port(true), On::Bound, Moment::Open, Moment::Bound)]
#[case(ASK.bind_address_no_port(true), On::Listening, Moment::Open, Moment::Listening)]
#[case(ASK.syn_count(3), On::Listening, Moment::Bound, Moment::Listening)]
#[case(ASK.syn_count(3), On::Connected, Moment::Bound, Moment::Connected)]
#[case(ASK.fastopen_connect(true), On::Connected, Moment::Bound, Moment::Connected)]
#[case(ASK.max_segment(1000), On::Connected, Moment::Listening, Moment::Connected)]
#[case(ASK.defer_accept(SECOND * 3), On::Connected, Moment::Listening, Moment::Connected)]
#[case(ASK.fastopen(7), On::Connected, Moment::Listening, Moment::Connected)]
fn what_comes_too_late_is_not_set_and_the_rest_is(
    #[case] tuning: Tuning,
    #[case] on: On,
    #[case] last: Moment,
    #[case] found: Moment,
) {
    let (socket, _listener) = open(on);
    let all = tuning.send_buffer(70_000);
    let report = all.apply(&socket).unwrap();
    let [
        Outcome::Granted { option, .. },
        Outcome::Differs(difference),
    ] = report.outcomes()
    else {
        panic!("{report}")
    };
    assert_eq!(*option, "SO_SNDBUF");
    assert_eq!(SockRef::from(&socket).send_buffer_size().unwrap(), 140_000);
    let Cause::TooLate { latest, moment, .. } = difference.cause() else {
        panic!("{report}")
    };
    assert_eq!((*latest, *moment), (last, found));
    // What is in effect is what was: asking again does not find it set.
    assert_ne!(difference.effective(), Some(difference.requested()));
    assert_eq!(all.apply(&socket).unwrap(), report);
    // The error of a strict one says the same.
    let Err(Error::NotGranted(told)) = all.strict(true).apply(&socket) else {
        panic!("granted")
    };
    assert_eq!(*told, report);
}

#[test]
fn what_is_there_already_is_not_too_late() {
    // Bound to an address of IPv6, it is so by itself, and the kernel takes the option no more.
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    let report = ASK.only_v6(true).strict(true).apply(&socket).unwrap();
    assert_eq!(report.to_string(), "IPV6_V6ONLY: on");
}

#[test]
fn what_comes_too_early_is_not_set_and_the_rest_is() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let report = ASK
        .ulp(Ulp::Tls)
        .send_buffer(70_000)
        .apply(&socket)
        .unwrap();
    let difference = report.differences().next().unwrap();
    let text = "TCP_ULP: tls requested, not readable: not set: it can be once the socket is connected, this one is \
                not yet bound";
    assert_eq!(difference.to_string(), text);
    let set = report.outcome("SO_SNDBUF").unwrap().effective();
    assert_eq!(set, Some(Value::Bytes(140_000)));
    assert_eq!(socket.send_buffer_size().unwrap(), 140_000);
}

#[test]
fn a_descriptor_that_is_no_socket_is_named() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let error = ASK.nodelay(true).apply(&file).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    let start = format!("getsockopt SO_ACCEPTCONN descriptor {}: ", file.as_raw_fd());
    assert!(error.to_string().starts_with(&start), "{error}");
    let empty = ASK.apply(&file).unwrap_err();
    assert_eq!(empty.raw_os_error(), Some(libc::ENOTSOCK), "{empty}");
}

#[test]
fn a_builder_refuses_an_impossible_value_before_it_binds() {
    let address = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let builder = TcpBuilder::new().tuning(Tuning::tcp().hop_limit(0));
    for error in [
        builder.listen(address).unwrap_err(),
        builder.connect(address).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "IP_TTL = 0: a packet has 1 to 255 hops");
    }
}
