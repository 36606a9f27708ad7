use super::super::spec::Spec;
use super::super::{
    Clock, Congestion, Dscp, Interface, Kind, PathMtu, PortRange, SocketKind, Timestamping, Tuning,
    TxTime, Ulp, Value, options,
};
use super::*;
use socket2::{Socket, Type};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// What stands in where a tuning has no such setter.
struct NoSetter;

trait Setter {
    const THERE: bool;

    fn is_there(&self) -> bool {
        Self::THERE
    }
}

impl<K: Kind> Setter for Tuning<K> {
    const THERE: bool = true;
}

impl Setter for NoSetter {
    const THERE: bool = false;
}

const SECOND: Duration = Duration::from_secs(1);

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

macro_rules! setters {
    ($($setter:ident($value:expr)),* $(,)?) => {
        #[expect(dead_code, reason = "a setter that every tuning has is always the inherent one")]
        /// An inherent method whose bound holds goes before a trait's of that name.
        trait Otherwise: Sized {
            $(fn $setter<T>(self, _: T) -> NoSetter { NoSetter })*
        }

        impl<K: Kind> Otherwise for Tuning<K> {}

        /// By option: a value, and whether tunings for TCP, UDP and Unix have its setter.
        fn setters() -> Vec<(&'static Spec, Value, [bool; 3])> {
            vec![$({
                let (spec, value) = Tuning::new().$setter($value).requests.iter().next().unwrap();
                let there = [
                    Tuning::tcp().$setter($value).is_there(),
                    Tuning::udp().$setter($value).is_there(),
                    Tuning::unix().$setter($value).is_there(),
                ];
                (spec, value, there)
            }),*]
        }
    };
}

setters! {
    receive_buffer(1), receive_buffer_force(1), send_buffer(1), send_buffer_force(1), only_v6(true),
    reuse_address(true), reuse_port(true), incoming_cpu(1), freebind(true), transparent(true),
    interface(parsed::<Interface>("lo")), bind_address_no_port(true),
    local_port_range(PortRange::new(1, 2).unwrap()), mark(1), dscp(Dscp::EXPEDITED_FORWARDING),
    priority(1), hop_limit(1), path_mtu(PathMtu::Do), receive_errors(true), receive_low_water(1),
    peek_offset(1), zerocopy(true), timestamping(Timestamping::SOFTWARE), txtime(TxTime::new(Clock::Tai)),
    max_pacing_rate(1), linger(SECOND), keepalive(true), keepalive_idle(SECOND), keepalive_interval(SECOND),
    keepalive_count(1), user_timeout(SECOND), nodelay(true), quickack(true), cork(true), notsent_lowat(1),
    max_segment(1), window_clamp(1), syn_count(1), defer_accept(SECOND), fastopen(1),
    fastopen_connect(true), udp_segment(1), udp_gro(true), busy_poll(SECOND), prefer_busy_poll(true),
    busy_poll_budget(1), congestion(parsed::<Congestion>("reno")), ulp(Ulp::Tls),
}

#[test]
fn a_setter_is_there_where_the_option_has_an_effect() {
    let transports = [Transport::Tcp, Transport::Udp, Transport::Unix];
    let want: Vec<_> = options::ALL
        .iter()
        .map(|spec| (spec.name, transports.map(|one| spec.sockets.include(one))))
        .collect();
    let there: Vec<_> = setters()
        .into_iter()
        .map(|(spec, _, there)| (spec.name, there))
        .collect();
    assert_eq!(there, want);
}

/// What the kernel takes from a socket that has no use for it.
const TAKEN_FOR_NOTHING: &[(SocketKind, &[&str])] = &[
    (SocketKind::TcpV6, &["SO_TXTIME"]),
    (
        SocketKind::UdpV6,
        &["SO_RCVLOWAT", "SO_LINGER", "SO_KEEPALIVE"],
    ),
    (
        SocketKind::UnixStream,
        &[
            "SO_RCVBUF",
            "SO_RCVBUFFORCE",
            "SO_REUSEADDR",
            // Recent kernels refuse it.
            "SO_REUSEPORT",
            "SO_INCOMING_CPU",
            "SO_BINDTODEVICE",
            "SO_MARK",
            "SO_PRIORITY",
            "SO_TIMESTAMPING",
            "SO_TXTIME",
            "SO_MAX_PACING_RATE",
            "SO_LINGER",
            "SO_KEEPALIVE",
            "SO_BUSY_POLL",
            "SO_PREFER_BUSY_POLL",
            "SO_BUSY_POLL_BUDGET",
        ],
    ),
];

/// What older kernels do not have on every socket that it has an effect on, and what a sysctl can forbid.
const NEWER: &[&str] = &["IP_LOCAL_PORT_RANGE", "SO_PEEK_OFF", "TCP_FASTOPEN_CONNECT"];

#[test]
fn the_kernel_refuses_an_option_exactly_where_it_has_no_effect_but_for_what_it_takes_for_nothing() {
    for (kind, for_nothing) in TAKEN_FOR_NOTHING {
        for (spec, value, _) in setters() {
            let socket = kind.open().unwrap();
            let result = (spec.set)(&SockRef::from(&socket), value);
            let errno = result.err().and_then(|error| error.raw_os_error());
            let taken = !matches!(errno, Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP));
            let effect = spec.sockets.include(kind.transport());
            let known = match (effect, taken) {
                (true, false) => NEWER.contains(&spec.name),
                (false, true) => for_nothing.contains(&spec.name),
                _ => true,
            };
            assert!(
                known,
                "{} on {kind:?}: effect: {effect}, taken: {taken}",
                spec.name
            );
        }
    }
}

#[test]
fn a_socket_says_what_it_is() {
    let open = |domain, r#type, protocol| Socket::new(domain, r#type, protocol).map(OwnedFd::from);
    let sockets = [
        (open(Domain::IPV4, Type::STREAM, None), Some(Transport::Tcp)),
        (open(Domain::IPV6, Type::STREAM, None), Some(Transport::Tcp)),
        (open(Domain::IPV4, Type::DGRAM, None), Some(Transport::Udp)),
        (open(Domain::IPV6, Type::DGRAM, None), Some(Transport::Udp)),
        (
            open(Domain::UNIX, Type::STREAM, None),
            Some(Transport::Unix),
        ),
        (open(Domain::UNIX, Type::DGRAM, None), Some(Transport::Unix)),
        (
            open(Domain::from(libc::AF_NETLINK), Type::DGRAM, None),
            None,
        ),
    ];
    for (socket, want) in sockets {
        assert_eq!(Transport::of(&SockRef::from(&socket.unwrap())), want);
    }
}
