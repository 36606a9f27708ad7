//! Tunings asked before there is a socket, presets, and what waits for the connection.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use netprims::Error;
use netprims::socket::TcpBuilder;
use netprims::tuning::{
    Cause, Dscp, Outcome, PortRange, Report, SocketKind, Tcp, Tuning, Ulp, Warning,
};
use rstest::rstest;

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn cause<'a>(report: &'a Report, option: &str) -> &'a Cause {
    match report.outcome(option) {
        Some(Outcome::Differs(difference)) => difference.cause(),
        other => panic!("{option}: {other:?}"),
    }
}

#[rstest]
#[case::low_latency(Tuning::low_latency())]
#[case::bulk(Tuning::bulk())]
#[case::many_connections(Tuning::many_connections())]
fn a_preset_is_granted(
    #[case] preset: Tuning<Tcp>,
    #[values(SocketKind::TcpV4, SocketKind::TcpV6)] kind: SocketKind,
) {
    let report = preset.strict(true).check(kind).unwrap();
    assert!(!report.outcomes().is_empty());
    assert_eq!(report.warnings(), [], "{report}");
    let builder = TcpBuilder::new().tuning(preset.strict(true));
    let (listener, _) = builder.listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let (mut near, _) = builder.connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    near.write_all(b"through").unwrap();
    far.read_exact(&mut [0; 7]).unwrap();
}

#[test]
fn a_preset_is_where_one_starts() {
    const TUNING: Tuning<Tcp> = Tuning::low_latency().nodelay(false);
    let report = TUNING.check(SocketKind::TcpV4).unwrap();
    let nodelay = report.outcome("TCP_NODELAY").unwrap();
    assert_eq!(nodelay.to_string(), "TCP_NODELAY: off");
}

#[test]
fn check_says_what_apply_would() {
    let tuning = Tuning::new().nodelay(true).receive_buffer(1_073_741_823);
    let told = tuning.check(SocketKind::UdpV4).unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(told, tuning.apply(&socket).unwrap());
    assert_eq!(cause(&told, "TCP_NODELAY"), &Cause::OtherSockets("TCP"));
    let error = tuning.strict(true).check(SocketKind::UdpV4).unwrap_err();
    assert!(matches!(error, Error::NotGranted(_)), "{error}");
}

#[test]
fn forcing_a_buffer_turns_autotuning_off_too() {
    let tuning = Tuning::new().receive_buffer_force(10_000);
    let report = tuning.check(SocketKind::TcpV4).unwrap();
    match report.warnings() {
        [Warning::AutotuningOff { option, .. }] => assert_eq!(*option, "SO_RCVBUFFORCE"),
        // Nothing is set without privilege.
        warnings => {
            let missing = Cause::Capability("CAP_NET_ADMIN");
            assert_eq!(cause(&report, "SO_RCVBUFFORCE"), &missing);
            assert_eq!(warnings, []);
        }
    }
}

#[test]
fn an_ipv6_socket_is_tuned_for_its_ipv4_peers_too() {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).unwrap();
    socket.set_tos_v4(2).unwrap();
    let tuning = Tuning::new().dscp(Dscp::EXPEDITED_FORWARDING).hop_limit(9);
    let report = tuning.apply(&socket).unwrap();
    assert!(report.is_granted(), "{report}");
    assert_eq!(socket.tclass_v6().unwrap(), 46 << 2);
    assert_eq!(
        socket.tos_v4().unwrap(),
        46 << 2 | 2,
        "ECN is left as it was"
    );
    assert_eq!(socket.unicast_hops_v6().unwrap(), 9);
    assert_eq!(socket.ttl_v4().unwrap(), 9);
}

#[test]
fn what_needs_a_connection_waits_for_it() {
    let tuning = Tuning::tcp().ulp(Ulp::Tls).nodelay(true);
    let early = tuning.strict(true).check(SocketKind::TcpV4).unwrap();
    assert!(
        matches!(cause(&early, "TCP_ULP"), Cause::TooEarly { .. }),
        "{early}"
    );
    let listener = listener();
    let (_, report) = TcpBuilder::new()
        .tuning(tuning)
        .connect(listener.local_addr().unwrap())
        .unwrap();
    // Whether this kernel has the module is not ours to say; that it was asked is.
    if report.is_granted() {
        return;
    }
    assert_eq!(cause(&report, "TCP_ULP"), &Cause::ModuleNotLoaded("tls"));
    let strict = TcpBuilder::new().tuning(tuning.strict(true));
    let error = strict.connect(listener.local_addr().unwrap()).unwrap_err();
    assert!(matches!(error, Error::NotGranted(_)), "{error}");
}

#[test]
fn a_strict_listener_is_not_promised_what_only_a_connection_can_have() {
    let tuning = Tuning::tcp().ulp(Ulp::Tls).strict(true);
    let any = "127.0.0.1:0".parse().unwrap();
    let error = TcpBuilder::new().tuning(tuning).listen(any).unwrap_err();
    assert!(matches!(error, Error::NotGranted(_)), "{error}");
}

#[test]
fn settings_without_effect_warn() {
    let probes = Tuning::new().keepalive_count(3);
    let report = probes.check(SocketKind::TcpV4).unwrap();
    assert_eq!(report.warnings(), [Warning::KeepaliveOff]);
    let report = probes.keepalive(true).check(SocketKind::TcpV4).unwrap();
    assert_eq!(report.warnings(), []);

    let outside = Tuning::new().local_port_range(PortRange::new(1, 2).unwrap());
    let report = outside.check(SocketKind::TcpV4).unwrap();
    if report.is_granted() {
        let [Warning::WithoutEffect { sysctl, .. }] = report.warnings() else {
            panic!("{report}")
        };
        assert_eq!(*sysctl, "net.ipv4.ip_local_port_range");
    }
}

#[test]
fn ports_come_from_the_range() {
    let ports = PortRange::new(45_000, 45_099).unwrap();
    let tuning = Tuning::tcp().local_port_range(ports);
    let (listener, report) = TcpBuilder::new()
        .tuning(tuning)
        .listen("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    if report.is_granted() {
        assert!((45_000..=45_099).contains(&port), "{port}");
    } else {
        // Before Linux 6.3.
        assert_eq!(cause(&report, "IP_LOCAL_PORT_RANGE"), &Cause::NotSupported);
    }
}

#[test]
fn bound_without_a_port_it_is_too_late_for_the_address_and_not_for_the_port() {
    let near = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let report = Tuning::tcp().bind_address_no_port(true).apply(&near);
    assert!(report.unwrap().is_granted());
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    near.bind(&any.into()).unwrap();
    let report = Tuning::tcp().freebind(true).apply(&near).unwrap();
    assert_eq!(
        cause(&report, "IP_FREEBIND").to_string(),
        "not set: it has an effect while the socket is not yet bound, this one is bound without a port"
    );
    let ports = Tuning::tcp().local_port_range(PortRange::new(45_100, 45_199).unwrap());
    let report = ports.apply(&near).unwrap();
    let listener = listener();
    near.connect(&listener.local_addr().unwrap().into())
        .unwrap();
    let port = near.local_addr().unwrap().as_socket().unwrap().port();
    if report.is_granted() {
        assert!((45_100..=45_199).contains(&port), "{port}");
    } else {
        // Before Linux 6.3.
        assert_eq!(cause(&report, "IP_LOCAL_PORT_RANGE"), &Cause::NotSupported);
    }
    let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    bound.bind(&any.into()).unwrap();
    let late = ports.apply(&bound).unwrap();
    assert_eq!(
        cause(&late, "IP_LOCAL_PORT_RANGE").to_string(),
        "not set: it has an effect while the socket is bound without a port, this one is bound"
    );
}

#[test]
fn closing_without_lingering_resets() {
    // The option is not only read back: the peer sees its effect.
    let listener = listener();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let report = Tuning::new().linger(Duration::ZERO).apply(&far).unwrap();
    assert!(report.is_granted(), "{report}");
    drop(far);
    let error = (&near).read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn multipath_is_another_protocol_or_an_error_that_says_why() {
    let builder = TcpBuilder::new().mptcp(true);
    match builder.listen("127.0.0.1:0".parse().unwrap()) {
        Ok((listener, _)) => {
            let fd = socket2::SockRef::from(&listener);
            assert_eq!(fd.protocol().unwrap(), Some(socket2::Protocol::MPTCP));
            let (mut near, _) = builder.connect(listener.local_addr().unwrap()).unwrap();
            let (mut far, _) = listener.accept().unwrap();
            near.write_all(b"both").unwrap();
            far.read_exact(&mut [0; 4]).unwrap();
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("MPTCP") || text.contains("mptcp"), "{text}");
        }
    }
}
