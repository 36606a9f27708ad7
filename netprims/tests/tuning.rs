//! What real sockets of this kernel answer, and what the report says about it.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use netprims::Error;
use netprims::socket::{self, TcpBuilder};
use netprims::sysctl::Sysctl;
use netprims::tuning::{Cause, Limit, Outcome, Report, Tuning, Value, Warning};
use rstest::rstest;
use socket2::SockRef;

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn connected() -> (TcpStream, TcpStream) {
    let listener = listener();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn number(sysctl: &'static str) -> u64 {
    Sysctl::new(sysctl)
        .read()
        .unwrap()
        .unwrap()
        .parse()
        .unwrap()
}

fn cause<'a>(report: &'a Report, option: &str) -> &'a Cause {
    match report.outcome(option) {
        Some(Outcome::Differs(difference)) => difference.cause(),
        other => panic!("{option}: {other:?}"),
    }
}

#[test]
fn an_empty_tuning_touches_nothing() {
    let (stream, _peer) = connected();
    let before = SockRef::from(&stream).recv_buffer_size().unwrap();
    let report = Tuning::new().strict(true).apply(&stream).unwrap();
    assert_eq!(report, Report::default());
    assert_eq!(SockRef::from(&stream).recv_buffer_size().unwrap(), before);
}

#[test]
fn several_options_are_set_in_one_go() {
    let congestion = Sysctl::new("net.ipv4.tcp_congestion_control")
        .read()
        .unwrap()
        .unwrap();
    let tuning = Tuning::new()
        .receive_buffer(100_000)
        .send_buffer(90_000)
        .nodelay(true)
        .reuse_port(true)
        .busy_poll(Duration::from_micros(30))
        .congestion(congestion.parse().unwrap());
    let open = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let report = tuning.apply(&open).unwrap();
    assert!(report.is_granted(), "{report}");
    let effective: Vec<_> = report
        .outcomes()
        .iter()
        .map(|outcome| (outcome.option(), outcome.effective().unwrap()))
        .collect();
    assert_eq!(
        effective,
        [
            ("SO_RCVBUF", Value::Bytes(200_000)),
            ("SO_SNDBUF", Value::Bytes(180_000)),
            ("SO_REUSEPORT", Value::Flag(true)),
            ("TCP_NODELAY", Value::Flag(true)),
            ("SO_BUSY_POLL", Value::Time(Duration::from_micros(30))),
            (
                "TCP_CONGESTION",
                Value::Congestion(congestion.parse().unwrap())
            ),
        ]
    );
    // Not only in the report: the socket says so too.
    assert_eq!(open.recv_buffer_size().unwrap(), 200_000);
    assert!(open.tcp_nodelay().unwrap() && open.reuse_port().unwrap());
}

#[rstest]
#[case("SO_RCVBUF", "net.core.rmem_max", Tuning::new().receive_buffer(1_073_741_823))]
#[case("SO_SNDBUF", "net.core.wmem_max", Tuning::new().send_buffer(1_073_741_823))]
fn a_clamped_buffer_names_the_sysctl_and_its_value(
    #[case] option: &'static str,
    #[case] sysctl: &'static str,
    #[case] tuning: Tuning,
) {
    let limit = number(sysctl);
    assert!(limit < 1_073_741_823, "this host has no limit to hit");
    let (stream, _peer) = connected();
    let report = tuning.apply(&stream).unwrap();
    let Cause::Sysctl { name, value, .. } = cause(&report, option) else {
        panic!("{report}")
    };
    assert_eq!(*name, sysctl);
    assert_eq!(*value, Limit::Read(limit.to_string()));
    let effective = report.outcome(option).unwrap().effective();
    assert_eq!(
        effective,
        Some(Value::Bytes(u32::try_from(2 * limit).unwrap()))
    );
    let text = report.to_string();
    assert!(
        text.contains(sysctl) && text.contains("1073741823 bytes requested"),
        "{text}"
    );
}

#[test]
fn a_buffer_below_the_minimum_is_the_kernels_rule() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let report = Tuning::new()
        .receive_buffer(1)
        .send_buffer(1)
        .apply(&socket)
        .unwrap();
    for option in ["SO_RCVBUF", "SO_SNDBUF"] {
        assert!(
            matches!(cause(&report, option), Cause::KernelRule(_)),
            "{report}"
        );
    }
}

#[test]
fn strict_makes_a_difference_an_error_that_carries_the_report() {
    let (stream, _peer) = connected();
    let tuning = Tuning::tcp()
        .nodelay(true)
        .receive_buffer(1_073_741_823)
        .strict(true);
    let Err(Error::NotGranted(report)) = tuning.apply(&stream) else {
        panic!("granted")
    };
    assert_eq!(report.differences().count(), 1);
    assert!(
        stream.nodelay().unwrap(),
        "what was granted is in effect, as the report says"
    );
    let error = TcpBuilder::new()
        .tuning(tuning)
        .connect(listener().local_addr().unwrap());
    assert!(matches!(error, Err(Error::NotGranted(_))));
}

#[test]
fn an_unknown_congestion_control_lists_what_there_is() {
    let (stream, _peer) = connected();
    let report = Tuning::new()
        .congestion("nope".parse().unwrap())
        .apply(&stream)
        .unwrap();
    let Cause::CongestionNotLoaded {
        available, allowed, ..
    } = cause(&report, "TCP_CONGESTION")
    else {
        panic!("{report}")
    };
    let list = |name| Sysctl::new(name).read().unwrap().unwrap();
    assert_eq!(
        available.join(" "),
        list("net.ipv4.tcp_available_congestion_control")
    );
    assert_eq!(
        allowed.join(" "),
        list("net.ipv4.tcp_allowed_congestion_control")
    );
}

#[test]
fn reuse_port_is_granted_to_a_socket_that_listens() {
    let first = listener();
    let builder = TcpBuilder::new().tuning(Tuning::tcp().reuse_port(true).strict(true));
    let address = first.local_addr().unwrap();
    builder.listen(address).unwrap_err();
    let report = Tuning::new()
        .reuse_port(true)
        .strict(true)
        .apply(&first)
        .unwrap();
    assert!(report.is_granted(), "{report}");
    builder.listen(address).unwrap().0.close().unwrap();
}

#[test]
fn a_backlog_that_is_cut_is_not_granted() {
    let any = "127.0.0.1:0".parse().unwrap();
    let limit = u32::try_from(number("net.core.somaxconn")).unwrap();
    let builder = TcpBuilder::new().backlog(limit + 1);
    let (_, report) = builder.listen(any).unwrap();
    let [Outcome::Differs(difference)] = report.outcomes() else {
        panic!("{report}")
    };
    assert_eq!(difference.option(), "listen backlog");
    assert_eq!(difference.requested(), Value::Number(limit + 1));
    assert_eq!(difference.effective(), Some(Value::Number(limit)));
    assert!(report.to_string().contains("somaxconn"), "{report}");
    assert_eq!(builder.check_listen(any).unwrap(), report);
    for builder in [TcpBuilder::new().backlog(limit), TcpBuilder::new()] {
        let (_, report) = builder.listen(any).unwrap();
        assert!(report.is_granted(), "{report}");
        assert_eq!(builder.check_listen(any).unwrap(), report);
    }
}

#[test]
fn a_strict_listener_is_not_bound_if_its_backlog_would_be_cut() {
    let (free, _) = TcpBuilder::new()
        .listen("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let taken = free.local_addr().unwrap();
    let strict = TcpBuilder::new().tuning(Tuning::tcp().strict(true));
    for result in [
        strict.backlog(u32::MAX).listen(taken).map(drop),
        strict.backlog(u32::MAX).check_listen(taken).map(drop),
    ] {
        // Else it were EADDRINUSE.
        let Err(Error::NotGranted(report)) = result else {
            panic!("{result:?}")
        };
        assert!(
            report.to_string().starts_with("listen backlog: "),
            "{report}"
        );
    }
    drop(free);
    strict.backlog(1).listen(taken).unwrap().0.close().unwrap();
}

#[test]
fn reuse_port_lets_two_listeners_share_an_address() {
    let builder = TcpBuilder::new().tuning(Tuning::tcp().reuse_port(true).strict(true));
    let (first, _) = builder.listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = first.local_addr().unwrap();
    builder.listen(address).unwrap().0.close().unwrap();
    let error = TcpBuilder::new().listen(address).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn a_receive_buffer_below_what_autotuning_reaches_warns() {
    let ceiling: u64 = {
        let list = Sysctl::new("net.ipv4.tcp_rmem").read().unwrap().unwrap();
        list.split_ascii_whitespace()
            .nth(2)
            .unwrap()
            .parse()
            .unwrap()
    };
    let (stream, _peer) = connected();
    let report = Tuning::new().receive_buffer(10_000).apply(&stream).unwrap();
    let [
        Warning::AutotuningOff {
            option: "SO_RCVBUF",
            effective: 20_000,
            sysctl: "net.ipv4.tcp_rmem",
            ceiling: told,
            ..
        },
        Warning::WindowScaleFixed,
    ] = report.warnings()
    else {
        panic!("{report}")
    };
    assert_eq!(*told, ceiling);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let report = Tuning::new().receive_buffer(10_000).apply(&udp).unwrap();
    assert_eq!(report.warnings(), [], "UDP has no autotuning");
}

#[test]
fn busy_poll_over_loopback_warns_that_there_is_no_queue() {
    let tuning = Tuning::tcp().busy_poll(Duration::from_micros(50));
    let (listener, report) = TcpBuilder::new()
        .tuning(tuning)
        .listen("127.0.0.1:0".parse().unwrap())
        .unwrap();
    assert_eq!(report.warnings(), [], "no packet could have come yet");
    let builder = TcpBuilder::new().tuning(tuning);
    let (stream, report) = builder.connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(report.warnings(), [Warning::NoNapi]);
    assert_eq!(tuning.apply(&stream).unwrap().warnings(), [Warning::NoNapi]);
    let off = Tuning::new()
        .busy_poll(Duration::ZERO)
        .apply(&stream)
        .unwrap();
    assert_eq!(off.warnings(), []);
}

#[test]
fn accepted_connections_inherit_and_convert_both_ways() {
    let tuning = Tuning::tcp().nodelay(true).send_buffer(50_000);
    let (listener, _) = TcpBuilder::new()
        .tuning(tuning)
        .listen("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let address = listener.local_addr().unwrap();
    let (near, _) = TcpBuilder::new().connect(address).unwrap();
    let (far, peer) = listener.accept().unwrap();
    assert_eq!(near.local_addr().unwrap(), peer);
    assert_eq!(far.peer_addr().unwrap(), peer);
    for fd in [near.as_fd(), far.as_fd(), listener.as_fd()] {
        let flags = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, 1, "close-on-exec");
    }
    let far: TcpStream = far.into();
    assert!(far.nodelay().unwrap());
    assert_eq!(SockRef::from(&far).send_buffer_size().unwrap(), 100_000);
    let far = OwnedFd::from(socket::TcpStream::from(far));
    socket::TcpStream::from(far).close().unwrap();
    near.close().unwrap();
    let listener: TcpListener = listener.into();
    socket::TcpListener::from(OwnedFd::from(listener))
        .close()
        .unwrap();
}

#[test]
fn errors_name_the_call_and_the_address() {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let error = TcpBuilder::new().listen(address).unwrap_err().to_string();
    assert!(error.starts_with(&format!("bind {address}: ")), "{error}");
    drop(listener);
    let error = TcpBuilder::new().connect(address).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("connect {address}: ")),
        "{error}"
    );
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;
    use netprims::tuning::{Clock, Dscp, PathMtu, PortRange, Timestamping, TxTime, Ulp};

    #[test]
    fn a_tuning_survives_a_configuration_file() {
        const TUNING: Tuning = Tuning::new()
            .busy_poll(Duration::from_micros(50))
            .nodelay(true);
        let tuning = TUNING.congestion("bbr".parse().unwrap());
        let text = serde_json::to_string(&tuning).unwrap();
        assert_eq!(
            text,
            r#"{"strict":false,"nodelay":true,"congestion":"bbr","busy_poll_us":50}"#
        );
        assert_eq!(serde_json::from_str::<Tuning>(&text).unwrap(), tuning);
    }

    #[test]
    fn a_configuration_writes_values_as_people_do() {
        let text = r#"{
            "interface": "eth0", "dscp": 46, "local_port_range": [40000, 40999], "path_mtu": "probe",
            "timestamping": ["rx_software", "software"], "txtime": {"clock": "tai"}, "ulp": "tls",
            "user_timeout_ms": 1500, "keepalive_idle_s": 30, "linger_s": 0
        }"#;
        let tuning: Tuning = serde_json::from_str(text).unwrap();
        let want = Tuning::new()
            .interface("eth0".parse().unwrap())
            .dscp(Dscp::EXPEDITED_FORWARDING)
            .local_port_range(PortRange::new(40_000, 40_999).unwrap())
            .path_mtu(PathMtu::Probe)
            .timestamping(Timestamping::RX_SOFTWARE.and(Timestamping::SOFTWARE))
            .txtime(TxTime::new(Clock::Tai))
            .ulp(Ulp::Tls)
            .user_timeout(Duration::from_millis(1500))
            .keepalive_idle(Duration::from_secs(30))
            .linger(Duration::ZERO);
        assert_eq!(tuning, want);
        let again = serde_json::to_string(&tuning).unwrap();
        assert_eq!(serde_json::from_str::<Tuning>(&again).unwrap(), want);
    }

    #[rstest]
    #[case(r#"{"dscp": 64}"#, "six bits")]
    #[case(
        r#"{"interface": "sixteen--letters"}"#,
        "SO_BINDTODEVICE = \"sixteen--letters\": a name has at most 15 bytes"
    )]
    #[case(r#"{"local_port_range": [2, 1]}"#, "IP_LOCAL_PORT_RANGE = 2 to 1")]
    #[case(r#"{"timestamping": ["rx_hardwear"]}"#, "rx_hardwear")]
    #[case(r#"{"recieve_buffer": 1}"#, "unknown field")]
    #[case(
        r#"{"congestion": "b\u0000br"}"#,
        "TCP_CONGESTION = \"b\\x00br\": it has a byte"
    )]
    #[case(r#"{"receive_buffer": -1}"#, "invalid value")]
    fn a_wrong_configuration_is_refused(#[case] text: &str, #[case] why: &str) {
        let error = serde_json::from_str::<Tuning>(text)
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_report_is_written_with_its_causes() {
        let (stream, _peer) = connected();
        let report = Tuning::new()
            .receive_buffer(1_073_741_823)
            .apply(&stream)
            .unwrap();
        let json = serde_json::to_value(&report).unwrap();
        let differs = &json["outcomes"][0]["differs"];
        assert_eq!(differs["option"], "SO_RCVBUF");
        assert_eq!(differs["cause"]["sysctl"]["name"], "net.core.rmem_max");
    }
}
