//! Tunings for one kind of socket, and what becomes of one on a socket of another.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use netprims::tuning::{Cause, SocketKind, Tcp, Tuning, Udp, Unix, Warning};
use netprims::{Error, Result};
use rstest::rstest;
use socket2::{Domain, SockRef, Socket, Type};

const ANY: Tuning = Tuning::new();

fn udp() -> OwnedFd {
    UdpSocket::bind("127.0.0.1:0").unwrap().into()
}

fn unix() -> OwnedFd {
    UnixDatagram::unbound().unwrap().into()
}

#[test]
fn every_tuning_is_one_for_any_socket() {
    let tcp: Tuning = Tuning::tcp().nodelay(true).strict(true).into();
    assert_eq!(tcp, ANY.nodelay(true).strict(true));
    let udp: Tuning = Tuning::udp().udp_gro(true).into();
    assert_eq!(udp, ANY.udp_gro(true));
    let unix: Tuning = Tuning::unix().send_buffer(1).into();
    assert_eq!(unix, ANY.send_buffer(1));
}

#[test]
fn one_for_any_socket_is_one_for_a_kind_if_that_has_every_option() {
    let tuning = ANY.nodelay(true).strict(true);
    let tcp = Tuning::<Tcp>::try_from(tuning).unwrap();
    assert_eq!(tcp, Tuning::tcp().nodelay(true).strict(true));
    let udp = Tuning::<Udp>::try_from(ANY.receive_buffer(1)).unwrap();
    assert_eq!(udp, Tuning::udp().receive_buffer(1));
    let unix = Tuning::<Unix>::try_from(ANY.receive_low_water(1)).unwrap();
    assert_eq!(unix, Tuning::unix().receive_low_water(1));
}

#[rstest]
#[case::tcp(
    Tuning::<Tcp>::try_from(ANY.udp_segment(1400).udp_gro(true).nodelay(true)).map(drop),
    "UDP_SEGMENT = 1400 bytes: it has no effect on TCP sockets",
)]
#[case::udp(
    Tuning::<Udp>::try_from(ANY.cork(false).nodelay(true)).map(drop),
    "TCP_NODELAY = on: it has no effect on UDP sockets",
)]
#[case::unix(
    Tuning::<Unix>::try_from(ANY.send_buffer(1).receive_buffer(1000)).map(drop),
    "SO_RCVBUF = 1000 bytes: it has no effect on Unix sockets",
)]
fn the_first_option_in_the_way_is_named(#[case] result: Result<()>, #[case] want: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::InvalidValue { .. }), "{error:?}");
    assert_eq!(error.to_string(), want);
}

#[rstest]
#[case(Tuning::tcp().check(SocketKind::UdpV4), "SocketKind = UdpV4: the tuning is for TCP sockets")]
#[case(Tuning::udp().check(SocketKind::UnixStream), "SocketKind = UnixStream: the tuning is for UDP sockets")]
#[case(Tuning::unix().check(SocketKind::MptcpV6), "SocketKind = MptcpV6: the tuning is for Unix sockets")]
fn a_tuning_is_not_checked_on_sockets_it_is_not_for(
    #[case] result: Result<netprims::tuning::Report>,
    #[case] want: &str,
) {
    assert_eq!(result.unwrap_err().to_string(), want);
}

#[rstest]
#[case::tcp_v4(Tuning::tcp().check(SocketKind::TcpV4))]
#[case::tcp_v6(Tuning::tcp().check(SocketKind::TcpV6))]
#[case::udp_v4(Tuning::udp().check(SocketKind::UdpV4))]
#[case::udp_v6(Tuning::udp().check(SocketKind::UdpV6))]
#[case::unix_stream(Tuning::unix().check(SocketKind::UnixStream))]
#[case::unix_datagram(Tuning::unix().check(SocketKind::UnixDatagram))]
#[case::any(ANY.check(SocketKind::UnixDatagram))]
fn a_tuning_is_checked_on_its_sockets(#[case] result: Result<netprims::tuning::Report>) {
    assert!(result.unwrap().outcomes().is_empty());
}

#[rstest]
#[case::of_tcp(ANY.nodelay(true), udp(), "TCP_NODELAY", "TCP")]
#[case::of_tcp_on_unix(ANY.nodelay(true), unix(), "TCP_NODELAY", "TCP")]
#[case::of_udp(ANY.udp_gro(true), unix(), "UDP_GRO", "UDP")]
#[case::of_ip(ANY.hop_limit(9), unix(), "IP_TTL", "TCP and UDP")]
#[case::that_a_sysctl_can_forbid(ANY.fastopen_connect(true), unix(), "TCP_FASTOPEN_CONNECT", "TCP")]
#[case::whose_moment_has_not_come(ANY.ulp(netprims::tuning::Ulp::Tls), udp(), "TCP_ULP", "TCP")]
#[case::typed(Tuning::tcp().nodelay(true).into(), udp(), "TCP_NODELAY", "TCP")]
fn an_option_of_other_sockets_says_so(
    #[case] tuning: Tuning,
    #[case] socket: OwnedFd,
    #[case] option: &str,
    #[case] sockets: &'static str,
) {
    let report = tuning.apply(&socket).unwrap();
    let difference = report.differences().next().unwrap();
    assert_eq!(difference.option(), option);
    assert_eq!(difference.cause(), &Cause::OtherSockets(sockets));
    let text = format!("an option of {sockets} sockets, which this is not");
    assert!(report.to_string().ends_with(&text), "{report}");
    let error = tuning.strict(true).apply(&socket).unwrap_err();
    assert!(matches!(error, Error::NotGranted(_)), "{error}");
}

#[test]
fn a_moment_that_has_passed_is_not_the_cause_on_other_sockets() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect("127.0.0.1:9").unwrap();
    let report = ANY.fastopen_connect(true).apply(&udp).unwrap();
    let cause = report.differences().next().unwrap().cause();
    assert_eq!(cause, &Cause::OtherSockets("TCP"));
}

#[rstest]
#[case::keepalive(ANY.keepalive(true), udp(), SocketKind::UdpV4, "SO_KEEPALIVE", "TCP")]
#[case::receive_buffer(ANY.receive_buffer(10_000), unix(), SocketKind::UnixDatagram, "SO_RCVBUF", "TCP and UDP")]
#[case::low_water(ANY.receive_low_water(10), udp(), SocketKind::UdpV6, "SO_RCVLOWAT", "TCP and Unix")]
fn what_the_kernel_takes_for_nothing_is_warned_of(
    #[case] tuning: Tuning,
    #[case] socket: OwnedFd,
    #[case] kind: SocketKind,
    #[case] name: &str,
    #[case] names: &str,
) {
    let report = tuning.apply(&socket).unwrap();
    let [
        Warning::OtherSockets {
            option, sockets, ..
        },
    ] = report.warnings()
    else {
        panic!("{report}")
    };
    assert_eq!((*option, *sockets), (name, names));
    let text = format!("warning: {name}: it has an effect on {names} sockets, which this is not");
    assert!(report.to_string().ends_with(&text), "{report}");
    // It is not in effect: a strict tuning is not granted, whether the socket is there or asked about.
    for result in [
        tuning.strict(true).apply(&socket),
        tuning.strict(true).check(kind),
    ] {
        match result.unwrap_err() {
            Error::NotGranted(told) => assert_eq!(told.warnings(), report.warnings()),
            error => panic!("{error}"),
        }
    }
}

#[rstest]
#[case::tcp_on_udp(Tuning::tcp().keepalive(true).apply(&udp()), "TCP")]
#[case::tcp_on_unix(Tuning::low_latency().apply(&unix()), "TCP")]
#[case::udp_on_unix(Tuning::udp().apply(&unix()), "UDP")]
#[case::unix_on_udp(Tuning::unix().send_buffer(50_000).apply(&udp()), "Unix")]
fn a_typed_tuning_is_refused_on_other_sockets(
    #[case] result: Result<netprims::tuning::Report>,
    #[case] only: &str,
) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::InvalidValue { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("socket = fd "), "{text}");
    assert!(
        text.ends_with(&format!(": the tuning is for {only} sockets")),
        "{text}"
    );
}

#[test]
fn nothing_is_set_on_a_socket_the_tuning_is_not_for() {
    let udp = udp();
    let before = SockRef::from(&udp).send_buffer_size().unwrap();
    let tuning = Tuning::tcp().send_buffer(70_000).keepalive(true);
    tuning.apply(&udp).unwrap_err();
    assert_eq!(SockRef::from(&udp).send_buffer_size().unwrap(), before);
    assert!(!SockRef::from(&udp).keepalive().unwrap());
}

#[test]
fn a_typed_tuning_on_what_is_no_socket_is_the_error_of_any() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let error = Tuning::tcp().nodelay(true).apply(&file).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK), "{error}");
}

#[test]
fn of_a_socket_of_no_known_kind_only_the_kernel_is_asked() {
    let netlink = Socket::new(Domain::from(libc::AF_NETLINK), Type::DGRAM, None).unwrap();
    let report = ANY.keepalive(true).nodelay(true).apply(&netlink).unwrap();
    let causes: Vec<_> = report
        .differences()
        .map(|one| one.cause().clone())
        .collect();
    assert_eq!(causes, [Cause::NotSupported]);
    assert_eq!(report.warnings(), []);
}

#[cfg(feature = "serde")]
#[rstest]
#[case::of_tcp(
    r#"{"nodelay": true}"#,
    "TCP_NODELAY = on: it has no effect on UDP sockets"
)]
#[case::unknown(r#"{"no_delay": true}"#, "unknown field `no_delay`")]
#[case::invalid(r#"{"dscp": 64}"#, "six bits")]
fn a_configuration_with_an_option_of_other_sockets_is_refused(
    #[case] text: &str,
    #[case] want: &str,
) {
    let error = serde_json::from_str::<Tuning<Udp>>(text).unwrap_err();
    assert!(error.to_string().contains(want), "{error}");
}

#[cfg(feature = "serde")]
#[test]
fn a_typed_tuning_survives_a_configuration_file() {
    let tuning = Tuning::udp().udp_segment(1400).strict(true);
    let text = serde_json::to_string(&tuning).unwrap();
    assert_eq!(text, r#"{"strict":true,"udp_segment":1400}"#);
    assert_eq!(serde_json::from_str::<Tuning<Udp>>(&text).unwrap(), tuning);
    assert_eq!(
        serde_json::from_str::<Tuning>(&text).unwrap(),
        tuning.into()
    );
}
