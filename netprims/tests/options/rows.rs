//! What must come of each option.

use std::time::Duration;

use netprims::tuning::{
    Clock, Congestion, Dscp, Interface, PathMtu, PortRange, Timestamping, Tuning, TxTime, Ulp,
};

use super::cell::{Cell, Row, differs, differs_to, forced, granted, invalid, privileged, row};
use super::{On, Want};

/// A name that is right, at compile time.
macro_rules! right {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(_) => panic!("a valid value"),
        }
    };
}

const ASK: Tuning = Tuning::new();
const LOOPBACK: Interface = right!(Interface::new("lo"));
const NO_SUCH: Interface = right!(Interface::new("no-such-device"));
const PORTS: PortRange = right!(PortRange::new(40_000, 40_999));
const RENO: Congestion = right!(Congestion::new("reno"));
const NOPE: Congestion = right!(Congestion::new("nope"));
const STAMPS: Timestamping = Timestamping::RX_SOFTWARE.and(Timestamping::SOFTWARE);

const NO_CLAMP: Cell = Cell::None("nothing is clamped");
const EVERY_SOCKET: Cell = Cell::None("every socket has it");
const SYSTEM: Want = Want::System("CAP_NET_ADMIN");
const NETWORK: Want = Want::Network("CAP_NET_RAW or CAP_NET_ADMIN");

/// Every option, in the order they are set.
pub(crate) const ALL: &[Row] = &[
    row(
        "SO_RCVBUF",
        granted(ASK.receive_buffer(100_000), On::Udp, "200000 bytes"),
        differs(
            ASK.receive_buffer(1_073_741_823),
            On::Udp,
            Want::Sysctl("net.core.rmem_max"),
        ),
        invalid(ASK.receive_buffer(0), On::Tcp),
    ),
    row(
        "SO_RCVBUFFORCE",
        privileged(ASK.receive_buffer_force(50_000_000), On::Udp, SYSTEM),
        forced(ASK.receive_buffer_force(1), On::Udp, Want::Rule, SYSTEM),
        invalid(ASK.receive_buffer_force(1 << 30), On::Tcp),
    ),
    row(
        "SO_SNDBUF",
        granted(ASK.send_buffer(90_000), On::Udp, "180000 bytes"),
        differs(ASK.send_buffer(1), On::Udp, Want::Rule),
        invalid(ASK.send_buffer(0), On::Tcp),
    ),
    row(
        "SO_SNDBUFFORCE",
        privileged(ASK.send_buffer_force(50_000_000), On::Tcp, SYSTEM),
        forced(ASK.send_buffer_force(1), On::Udp, Want::Rule, SYSTEM),
        invalid(ASK.send_buffer_force(0), On::Tcp),
    ),
    row(
        "IPV6_V6ONLY",
        granted(ASK.only_v6(true), On::Tcp6, "on"),
        NO_CLAMP,
        differs(ASK.only_v6(true), On::Tcp, Want::NotSupported),
    ),
    row(
        "SO_REUSEADDR",
        granted(ASK.reuse_address(true), On::Udp, "on"),
        NO_CLAMP,
        EVERY_SOCKET,
    ),
    row(
        "SO_REUSEPORT",
        granted(ASK.reuse_port(true), On::Udp, "on"),
        NO_CLAMP,
        Cell::None("every internet socket has it"),
    ),
    row(
        "SO_INCOMING_CPU",
        granted(ASK.incoming_cpu(1), On::TcpListening, "1"),
        NO_CLAMP,
        invalid(ASK.incoming_cpu(1 << 31), On::Tcp),
    ),
    row(
        "IP_FREEBIND",
        granted(ASK.freebind(true), On::Tcp6, "on"),
        differs_to(ASK.freebind(true), On::Udp, Want::TooLate, "off"),
        differs(ASK.freebind(true), On::Unix, Want::NotSupported),
    ),
    row(
        "IP_TRANSPARENT",
        privileged(ASK.transparent(true), On::Tcp6, NETWORK),
        NO_CLAMP,
        differs(ASK.transparent(true), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_BINDTODEVICE",
        granted(ASK.interface(LOOPBACK), On::Tcp, "lo"),
        NO_CLAMP,
        differs_to(ASK.interface(NO_SUCH), On::Udp, Want::Rule, "off"),
    ),
    row(
        "IP_BIND_ADDRESS_NO_PORT",
        granted(ASK.bind_address_no_port(true), On::Tcp6, "on"),
        differs_to(
            ASK.bind_address_no_port(true),
            On::Udp,
            Want::TooLate,
            "off",
        ),
        differs(ASK.bind_address_no_port(true), On::Unix, Want::NotSupported),
    ),
    row(
        "IP_LOCAL_PORT_RANGE",
        granted(ASK.local_port_range(PORTS), On::Tcp6, "40000 to 40999"),
        Cell::None("an end outside of the sysctl is warned of"),
        differs(ASK.local_port_range(PORTS), On::Unix, Want::NotSupported),
    )
    .since(6, 3),
    row(
        "SO_MARK",
        privileged(ASK.mark(7), On::Udp, NETWORK),
        NO_CLAMP,
        EVERY_SOCKET,
    ),
    row(
        "IP_TOS",
        granted(ASK.dscp(Dscp::EXPEDITED_FORWARDING), On::Tcp6, "DSCP 46"),
        NO_CLAMP,
        differs(ASK.dscp(Dscp::LOWER_EFFORT), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_PRIORITY",
        granted(ASK.priority(6), On::Udp, "6"),
        NO_CLAMP,
        privileged(ASK.priority(7), On::Udp, NETWORK),
    ),
    row(
        "IP_TTL",
        granted(ASK.hop_limit(9), On::Udp6, "9"),
        NO_CLAMP,
        invalid(ASK.hop_limit(256), On::Tcp),
    ),
    row(
        "IP_MTU_DISCOVER",
        granted(ASK.path_mtu(PathMtu::Probe), On::Udp6, "probe"),
        NO_CLAMP,
        differs(ASK.path_mtu(PathMtu::Do), On::Unix, Want::NotSupported),
    ),
    row(
        "IP_RECVERR",
        granted(ASK.receive_errors(true), On::Udp6, "on"),
        NO_CLAMP,
        differs(ASK.receive_errors(true), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_RCVLOWAT",
        granted(ASK.receive_low_water(5), On::Tcp, "5 bytes"),
        differs(
            ASK.receive_low_water(2_000_000_000),
            On::Tcp,
            Want::Sysctl("net.ipv4.tcp_rmem"),
        ),
        invalid(ASK.receive_low_water(0), On::Tcp),
    ),
    row(
        "SO_PEEK_OFF",
        granted(ASK.peek_offset(5), On::Unix, "5 bytes"),
        NO_CLAMP,
        invalid(ASK.peek_offset(1 << 31), On::Unix),
    ),
    row(
        "SO_ZEROCOPY",
        granted(ASK.zerocopy(true), On::Tcp, "on"),
        NO_CLAMP,
        differs(ASK.zerocopy(true), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_TIMESTAMPING",
        granted(ASK.timestamping(STAMPS), On::Udp, "rx_software+software"),
        NO_CLAMP,
        differs_to(
            ASK.timestamping(Timestamping::OPT_ID),
            On::Tcp,
            Want::Rule,
            "nothing",
        ),
    ),
    row(
        "SO_TXTIME",
        granted(
            ASK.txtime(TxTime::new(Clock::Monotonic).deadline(true)),
            On::Udp,
            "monotonic, deadline",
        ),
        NO_CLAMP,
        privileged(
            ASK.txtime(TxTime::new(Clock::Tai)),
            On::Udp,
            Want::Network("CAP_NET_ADMIN"),
        ),
    ),
    row(
        "SO_MAX_PACING_RATE",
        granted(ASK.max_pacing_rate(1_000_000), On::Tcp, "1000000 bytes/s"),
        NO_CLAMP,
        invalid(ASK.max_pacing_rate(0), On::Tcp),
    ),
    row(
        "SO_LINGER",
        granted(ASK.linger(Duration::from_secs(5)), On::Tcp, "5000000 µs"),
        NO_CLAMP,
        invalid(ASK.linger(Duration::from_millis(1)), On::Tcp),
    ),
    row(
        "SO_KEEPALIVE",
        granted(ASK.keepalive(true), On::Tcp, "on"),
        NO_CLAMP,
        EVERY_SOCKET,
    ),
    row(
        "TCP_KEEPIDLE",
        granted(
            ASK.keepalive_idle(Duration::from_secs(30)),
            On::Tcp,
            "30000000 µs",
        ),
        NO_CLAMP,
        differs(
            ASK.keepalive_idle(Duration::from_secs(30)),
            On::Udp,
            Want::NotSupported,
        ),
    ),
    row(
        "TCP_KEEPINTVL",
        granted(
            ASK.keepalive_interval(Duration::from_secs(10)),
            On::Tcp,
            "10000000 µs",
        ),
        NO_CLAMP,
        invalid(ASK.keepalive_interval(Duration::from_secs(32_768)), On::Tcp),
    ),
    row(
        "TCP_KEEPCNT",
        granted(ASK.keepalive_count(5), On::Tcp, "5"),
        NO_CLAMP,
        invalid(ASK.keepalive_count(128), On::Tcp),
    ),
    row(
        "TCP_USER_TIMEOUT",
        granted(
            ASK.user_timeout(Duration::from_secs(5)),
            On::Tcp,
            "5000000 µs",
        ),
        NO_CLAMP,
        differs(
            ASK.user_timeout(Duration::from_secs(5)),
            On::Udp,
            Want::NotSupported,
        ),
    ),
    row(
        "TCP_NODELAY",
        granted(ASK.nodelay(true), On::Tcp, "on"),
        NO_CLAMP,
        differs(ASK.nodelay(true), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_QUICKACK",
        granted(ASK.quickack(false), On::Tcp, "off"),
        NO_CLAMP,
        differs(ASK.quickack(true), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_CORK",
        granted(ASK.cork(true), On::TcpConnected, "on"),
        NO_CLAMP,
        differs(ASK.cork(true), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_NOTSENT_LOWAT",
        granted(ASK.notsent_lowat(16_384), On::Tcp, "16384 bytes"),
        NO_CLAMP,
        differs(ASK.notsent_lowat(16_384), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_MAXSEG",
        granted(ASK.max_segment(1200), On::Tcp, "1200 bytes"),
        differs(ASK.max_segment(1200), On::TcpConnected, Want::TooLate),
        invalid(ASK.max_segment(87), On::Tcp),
    ),
    row(
        "TCP_WINDOW_CLAMP",
        granted(ASK.window_clamp(65_536), On::Tcp, "65536 bytes"),
        differs(ASK.window_clamp(1), On::Tcp, Want::Rule),
        invalid(ASK.window_clamp(0), On::Tcp),
    ),
    row(
        "TCP_SYNCNT",
        granted(ASK.syn_count(3), On::Tcp, "3"),
        differs(ASK.syn_count(3), On::TcpConnected, Want::TooLate),
        invalid(ASK.syn_count(128), On::Tcp),
    ),
    row(
        "TCP_DEFER_ACCEPT",
        granted(
            ASK.defer_accept(Duration::from_secs(7)),
            On::TcpListening,
            "7000000 µs",
        ),
        differs_to(
            ASK.defer_accept(Duration::from_secs(5)),
            On::Tcp,
            Want::Rule,
            "7000000 µs",
        ),
        differs(
            ASK.defer_accept(Duration::from_secs(5)),
            On::Udp,
            Want::NotSupported,
        ),
    ),
    row(
        "TCP_FASTOPEN",
        granted(ASK.fastopen(16), On::TcpListening, "16"),
        differs(
            ASK.fastopen(0x7fff_ffff),
            On::Tcp,
            Want::Sysctl("net.core.somaxconn"),
        ),
        differs(ASK.fastopen(16), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_FASTOPEN_CONNECT",
        granted(ASK.fastopen_connect(true), On::Tcp, "on"),
        differs_to(
            ASK.fastopen_connect(true),
            On::TcpConnected,
            Want::TooLate,
            "off",
        ),
        differs(ASK.fastopen_connect(true), On::Udp, Want::NotSupported),
    ),
    row(
        "UDP_SEGMENT",
        granted(ASK.udp_segment(1400), On::Udp, "1400 bytes"),
        NO_CLAMP,
        differs(ASK.udp_segment(1400), On::Tcp, Want::NotSupported),
    ),
    row(
        "UDP_GRO",
        granted(ASK.udp_gro(true), On::Udp, "on"),
        NO_CLAMP,
        differs(ASK.udp_gro(true), On::Tcp, Want::NotSupported),
    ),
    row(
        "SO_BUSY_POLL",
        granted(ASK.busy_poll(Duration::from_micros(30)), On::Udp, "30 µs"),
        NO_CLAMP,
        invalid(ASK.busy_poll(Duration::from_nanos(1)), On::Tcp),
    ),
    row(
        "SO_PREFER_BUSY_POLL",
        privileged(ASK.prefer_busy_poll(true), On::Udp, SYSTEM),
        NO_CLAMP,
        EVERY_SOCKET,
    )
    .since(5, 11),
    row(
        "SO_BUSY_POLL_BUDGET",
        privileged(ASK.busy_poll_budget(64), On::Udp, SYSTEM),
        NO_CLAMP,
        invalid(ASK.busy_poll_budget(65_536), On::Tcp),
    )
    .since(5, 11),
    row(
        "TCP_CONGESTION",
        granted(ASK.congestion(RENO), On::Tcp, "reno"),
        NO_CLAMP,
        differs(ASK.congestion(NOPE), On::Tcp, Want::NotLoaded),
    ),
    row(
        "TCP_ULP",
        differs(ASK.ulp(Ulp::Tls), On::TcpConnected, Want::IfLoaded),
        differs(ASK.ulp(Ulp::Tls), On::Tcp, Want::TooEarly),
        differs(ASK.ulp(Ulp::Tls), On::Udp, Want::NotSupported),
    ),
];
