//! What must come of each option.

use std::time::Duration;

use netprims::tuning::{
    Clock, Congestion, Dscp, Interface, PathMtu, PortRange, Timestamping, Tuning, TxTime, Ulp,
};

use super::cell::{
    Cell, Row, back, differs, differs_to, forced, granted, invalid, no_socket, off_again,
    privileged, row,
};
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
const ALL_PORTS: PortRange = right!(PortRange::new(1, 65_535));
const HIGHEST: Dscp = right!(Dscp::new(63));
const RENO: Congestion = right!(Congestion::new("reno"));
const NOPE: Congestion = right!(Congestion::new("nope"));
const STAMPS: Timestamping = Timestamping::RX_SOFTWARE.and(Timestamping::SOFTWARE);

const STAMPS_OF_ALL_KINDS: Timestamping = Timestamping::RX_HARDWARE
    .and(Timestamping::RX_SOFTWARE)
    .and(Timestamping::TX_HARDWARE)
    .and(Timestamping::TX_SOFTWARE)
    .and(Timestamping::TX_SCHED)
    .and(Timestamping::RAW_HARDWARE)
    .and(Timestamping::SOFTWARE)
    .and(Timestamping::OPT_ID)
    .and(Timestamping::OPT_TSONLY);

const SYSTEM: Want = Want::System("CAP_NET_ADMIN");
const NETWORK: Want = Want::Network("CAP_NET_RAW or CAP_NET_ADMIN");

const SOCKET: i32 = libc::SOL_SOCKET;
const IP: i32 = libc::IPPROTO_IP;
const IPV6: i32 = libc::IPPROTO_IPV6;
const TCP: i32 = libc::IPPROTO_TCP;
const UDP: i32 = libc::IPPROTO_UDP;

/// Every option, in the order they are set.
pub(crate) const ALL: &[Row] = &[
    row(
        "SO_RCVBUF",
        (SOCKET, libc::SO_RCVBUF),
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
        (SOCKET, libc::SO_RCVBUFFORCE),
        privileged(ASK.receive_buffer_force(50_000_000), On::Udp, SYSTEM),
        forced(ASK.receive_buffer_force(1), On::Udp, Want::Rule, SYSTEM),
        invalid(ASK.receive_buffer_force(1 << 30), On::Tcp),
    ),
    row(
        "SO_SNDBUF",
        (SOCKET, libc::SO_SNDBUF),
        granted(ASK.send_buffer(90_000), On::Udp, "180000 bytes"),
        differs(ASK.send_buffer(1), On::Udp, Want::Rule),
        invalid(ASK.send_buffer(0), On::Tcp),
    ),
    row(
        "SO_SNDBUFFORCE",
        (SOCKET, libc::SO_SNDBUFFORCE),
        privileged(ASK.send_buffer_force(50_000_000), On::Tcp, SYSTEM),
        forced(ASK.send_buffer_force(1), On::Udp, Want::Rule, SYSTEM),
        invalid(ASK.send_buffer_force(0), On::Tcp),
    ),
    row(
        "IPV6_V6ONLY",
        (IPV6, libc::IPV6_V6ONLY),
        granted(ASK.only_v6(true), On::Tcp6, "on"),
        off_again(ASK.only_v6(true), ASK.only_v6(false), On::Tcp6),
        differs(ASK.only_v6(true), On::Tcp, Want::NotSupported),
    ),
    row(
        "SO_REUSEADDR",
        (SOCKET, libc::SO_REUSEADDR),
        granted(ASK.reuse_address(true), On::Udp, "on"),
        off_again(ASK.reuse_address(true), ASK.reuse_address(false), On::Udp),
        no_socket(ASK.reuse_address(true)),
    ),
    row(
        "SO_REUSEPORT",
        (SOCKET, libc::SO_REUSEPORT),
        granted(ASK.reuse_port(true), On::Udp, "on"),
        off_again(ASK.reuse_port(true), ASK.reuse_port(false), On::Tcp),
        differs(ASK.reuse_port(true), On::Unix, Want::NotSupported)
            .before_it_was_taken_over((6, 13), Want::Granted),
    ),
    row(
        "SO_INCOMING_CPU",
        (SOCKET, libc::SO_INCOMING_CPU),
        granted(ASK.incoming_cpu(1), On::TcpListening, "1"),
        granted(
            ASK.incoming_cpu(0x7fff_ffff),
            On::TcpListening,
            "2147483647",
        ),
        invalid(ASK.incoming_cpu(1 << 31), On::Tcp),
    ),
    row(
        "IP_FREEBIND",
        (IP, libc::IP_FREEBIND),
        granted(ASK.freebind(true), On::Tcp6, "on"),
        differs_to(ASK.freebind(true), On::Udp, Want::TooLate, "off"),
        differs(ASK.freebind(true), On::Unix, Want::NotSupported),
    ),
    row(
        "IP_TRANSPARENT",
        (IP, libc::IP_TRANSPARENT),
        privileged(ASK.transparent(true), On::Tcp6, NETWORK),
        off_again(ASK.transparent(true), ASK.transparent(false), On::Tcp),
        differs(ASK.transparent(true), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_BINDTODEVICE",
        (SOCKET, libc::SO_BINDTODEVICE),
        granted(ASK.interface(LOOPBACK), On::Tcp, "lo"),
        Cell::Listed("a device is found by its whole name or not at all"),
        differs_to(ASK.interface(NO_SUCH), On::Udp, Want::Rule, "off"),
    ),
    row(
        "IP_BIND_ADDRESS_NO_PORT",
        (IP, libc::IP_BIND_ADDRESS_NO_PORT),
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
        (IP, 51),
        granted(ASK.local_port_range(PORTS), On::Tcp6, "40000 to 40999"),
        granted(ASK.local_port_range(ALL_PORTS), On::Tcp, "1 to 65535"),
        differs(ASK.local_port_range(PORTS), On::Unix, Want::NotSupported),
    )
    .since(6, 3),
    row(
        "SO_MARK",
        (SOCKET, libc::SO_MARK),
        privileged(ASK.mark(7), On::Udp, NETWORK),
        privileged(ASK.mark(u32::MAX), On::Tcp, NETWORK),
        no_socket(ASK.mark(7)),
    ),
    row(
        "IP_TOS",
        (IP, libc::IP_TOS),
        granted(ASK.dscp(Dscp::EXPEDITED_FORWARDING), On::Tcp6, "DSCP 46"),
        granted(ASK.dscp(HIGHEST), On::Udp, "DSCP 63"),
        differs(ASK.dscp(Dscp::LOWER_EFFORT), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_PRIORITY",
        (SOCKET, libc::SO_PRIORITY),
        granted(ASK.priority(6), On::Udp, "6"),
        privileged(ASK.priority(u32::MAX), On::Tcp, NETWORK),
        privileged(ASK.priority(7), On::Udp, NETWORK),
    ),
    row(
        "IP_TTL",
        (IP, libc::IP_TTL),
        granted(ASK.hop_limit(9), On::Udp6, "9"),
        granted(ASK.hop_limit(255), On::Tcp, "255"),
        invalid(ASK.hop_limit(256), On::Tcp),
    ),
    row(
        "IP_MTU_DISCOVER",
        (IP, libc::IP_MTU_DISCOVER),
        granted(ASK.path_mtu(PathMtu::Probe), On::Udp6, "probe"),
        granted(ASK.path_mtu(PathMtu::Omit), On::Tcp, "omit"),
        differs(ASK.path_mtu(PathMtu::Do), On::Unix, Want::NotSupported),
    ),
    row(
        "IP_RECVERR",
        (IP, libc::IP_RECVERR),
        granted(ASK.receive_errors(true), On::Udp6, "on"),
        off_again(ASK.receive_errors(true), ASK.receive_errors(false), On::Udp),
        differs(ASK.receive_errors(true), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_RCVLOWAT",
        (SOCKET, libc::SO_RCVLOWAT),
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
        (SOCKET, libc::SO_PEEK_OFF),
        granted(ASK.peek_offset(5), On::Unix, "5 bytes"),
        granted(ASK.peek_offset(0x7fff_ffff), On::Unix, "2147483647 bytes"),
        invalid(ASK.peek_offset(1 << 31), On::Unix),
    ),
    row(
        "SO_ZEROCOPY",
        (SOCKET, libc::SO_ZEROCOPY),
        granted(ASK.zerocopy(true), On::Tcp, "on"),
        off_again(ASK.zerocopy(true), ASK.zerocopy(false), On::Udp),
        differs(ASK.zerocopy(true), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_TIMESTAMPING",
        (SOCKET, libc::SO_TIMESTAMPING),
        granted(ASK.timestamping(STAMPS), On::Udp, "rx_software+software"),
        granted(
            ASK.timestamping(STAMPS_OF_ALL_KINDS),
            On::Udp,
            "tx_hardware+tx_software+rx_hardware+rx_software+software+raw_hardware+opt_id+tx_sched+opt_tsonly",
        ),
        differs_to(
            ASK.timestamping(Timestamping::OPT_ID),
            On::Tcp,
            Want::Rule,
            "nothing",
        ),
    ),
    row(
        "SO_TXTIME",
        (SOCKET, libc::SO_TXTIME),
        granted(
            ASK.txtime(TxTime::new(Clock::Monotonic).deadline(true)),
            On::Udp,
            "monotonic, deadline",
        ),
        granted(
            ASK.txtime(
                TxTime::new(Clock::Monotonic)
                    .deadline(true)
                    .report_errors(true),
            ),
            On::Tcp,
            "monotonic, deadline, errors reported",
        ),
        privileged(
            ASK.txtime(TxTime::new(Clock::Tai)),
            On::Udp,
            Want::Network("CAP_NET_ADMIN"),
        ),
    ),
    row(
        "SO_MAX_PACING_RATE",
        (SOCKET, libc::SO_MAX_PACING_RATE),
        granted(ASK.max_pacing_rate(1_000_000), On::Tcp, "1000000 bytes/s"),
        granted(
            ASK.max_pacing_rate(u64::MAX - 1),
            On::Tcp,
            "18446744073709551614 bytes/s",
        ),
        invalid(ASK.max_pacing_rate(0), On::Tcp),
    ),
    row(
        "SO_LINGER",
        (SOCKET, libc::SO_LINGER),
        granted(ASK.linger(Duration::from_secs(5)), On::Tcp, "5000000 µs"),
        granted(
            ASK.linger(Duration::from_secs(0x7fff_ffff)),
            On::Tcp,
            "2147483647000000 µs",
        ),
        invalid(ASK.linger(Duration::from_millis(1)), On::Tcp),
    ),
    row(
        "SO_KEEPALIVE",
        (SOCKET, libc::SO_KEEPALIVE),
        granted(ASK.keepalive(true), On::Tcp, "on"),
        off_again(ASK.keepalive(true), ASK.keepalive(false), On::Tcp),
        no_socket(ASK.keepalive(true)),
    ),
    row(
        "TCP_KEEPIDLE",
        (TCP, libc::TCP_KEEPIDLE),
        granted(
            ASK.keepalive_idle(Duration::from_secs(30)),
            On::Tcp,
            "30000000 µs",
        ),
        granted(
            ASK.keepalive_idle(Duration::from_secs(32_767)),
            On::Tcp,
            "32767000000 µs",
        ),
        differs(
            ASK.keepalive_idle(Duration::from_secs(30)),
            On::Udp,
            Want::NotSupported,
        ),
    ),
    row(
        "TCP_KEEPINTVL",
        (TCP, libc::TCP_KEEPINTVL),
        granted(
            ASK.keepalive_interval(Duration::from_secs(10)),
            On::Tcp,
            "10000000 µs",
        ),
        granted(
            ASK.keepalive_interval(Duration::from_secs(32_767)),
            On::Tcp,
            "32767000000 µs",
        ),
        invalid(ASK.keepalive_interval(Duration::from_secs(32_768)), On::Tcp),
    ),
    row(
        "TCP_KEEPCNT",
        (TCP, libc::TCP_KEEPCNT),
        granted(ASK.keepalive_count(5), On::Tcp, "5"),
        granted(ASK.keepalive_count(127), On::Tcp, "127"),
        invalid(ASK.keepalive_count(128), On::Tcp),
    ),
    row(
        "TCP_USER_TIMEOUT",
        (TCP, libc::TCP_USER_TIMEOUT),
        granted(
            ASK.user_timeout(Duration::from_secs(5)),
            On::Tcp,
            "5000000 µs",
        ),
        granted(
            ASK.user_timeout(Duration::from_millis(0x7fff_ffff)),
            On::Tcp,
            "2147483647000 µs",
        ),
        differs(
            ASK.user_timeout(Duration::from_secs(5)),
            On::Udp,
            Want::NotSupported,
        ),
    ),
    row(
        "TCP_NODELAY",
        (TCP, libc::TCP_NODELAY),
        granted(ASK.nodelay(true), On::Tcp, "on"),
        off_again(ASK.nodelay(true), ASK.nodelay(false), On::Tcp),
        differs(ASK.nodelay(true), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_QUICKACK",
        (TCP, libc::TCP_QUICKACK),
        granted(ASK.quickack(false), On::Tcp, "off"),
        back(
            ASK.quickack(false),
            ASK.quickack(true),
            On::TcpConnected,
            "on",
        ),
        differs(ASK.quickack(true), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_CORK",
        (TCP, libc::TCP_CORK),
        granted(ASK.cork(true), On::TcpConnected, "on"),
        off_again(ASK.cork(true), ASK.cork(false), On::TcpConnected),
        differs(ASK.cork(true), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_NOTSENT_LOWAT",
        (TCP, libc::TCP_NOTSENT_LOWAT),
        granted(ASK.notsent_lowat(16_384), On::Tcp, "16384 bytes"),
        granted(ASK.notsent_lowat(u32::MAX), On::Tcp, "4294967295 bytes"),
        differs(ASK.notsent_lowat(16_384), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_MAXSEG",
        (TCP, libc::TCP_MAXSEG),
        granted(ASK.max_segment(1200), On::Tcp, "1200 bytes"),
        differs(ASK.max_segment(1200), On::TcpConnected, Want::TooLate),
        invalid(ASK.max_segment(87), On::Tcp),
    ),
    row(
        "TCP_WINDOW_CLAMP",
        (TCP, libc::TCP_WINDOW_CLAMP),
        granted(ASK.window_clamp(65_536), On::Tcp, "65536 bytes"),
        differs(ASK.window_clamp(1), On::Tcp, Want::Rule),
        invalid(ASK.window_clamp(0), On::Tcp),
    ),
    row(
        "TCP_SYNCNT",
        (TCP, libc::TCP_SYNCNT),
        granted(ASK.syn_count(3), On::Tcp, "3"),
        differs(ASK.syn_count(3), On::TcpConnected, Want::TooLate),
        invalid(ASK.syn_count(128), On::Tcp),
    ),
    row(
        "TCP_DEFER_ACCEPT",
        (TCP, libc::TCP_DEFER_ACCEPT),
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
        (TCP, libc::TCP_FASTOPEN),
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
        (TCP, libc::TCP_FASTOPEN_CONNECT),
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
        (UDP, libc::UDP_SEGMENT),
        granted(ASK.udp_segment(1400), On::Udp, "1400 bytes"),
        granted(ASK.udp_segment(65_535), On::Udp, "65535 bytes"),
        differs(ASK.udp_segment(1400), On::Tcp, Want::NotSupported),
    ),
    row(
        "UDP_GRO",
        (UDP, libc::UDP_GRO),
        granted(ASK.udp_gro(true), On::Udp, "on"),
        off_again(ASK.udp_gro(true), ASK.udp_gro(false), On::Udp),
        differs(ASK.udp_gro(true), On::Tcp, Want::NotSupported),
    ),
    row(
        "SO_BUSY_POLL",
        (SOCKET, libc::SO_BUSY_POLL),
        granted(ASK.busy_poll(Duration::from_micros(30)), On::Udp, "30 µs").before(
            (6, 7),
            Want::Granted,
            SYSTEM,
        ),
        granted(
            ASK.busy_poll(Duration::from_micros(0x7fff_ffff)),
            On::Udp,
            "2147483647 µs",
        )
        .before((6, 7), Want::Granted, SYSTEM),
        invalid(ASK.busy_poll(Duration::from_nanos(1)), On::Tcp),
    ),
    row(
        "SO_PREFER_BUSY_POLL",
        (SOCKET, 69),
        privileged(ASK.prefer_busy_poll(true), On::Udp, SYSTEM),
        off_again(
            ASK.prefer_busy_poll(true),
            ASK.prefer_busy_poll(false),
            On::Udp,
        ),
        no_socket(ASK.prefer_busy_poll(true)),
    )
    .since(5, 11),
    row(
        "SO_BUSY_POLL_BUDGET",
        (SOCKET, 70),
        privileged(ASK.busy_poll_budget(64), On::Udp, SYSTEM),
        privileged(ASK.busy_poll_budget(65_535), On::Tcp, SYSTEM),
        invalid(ASK.busy_poll_budget(65_536), On::Tcp),
    )
    .since(5, 11),
    row(
        "TCP_CONGESTION",
        (TCP, libc::TCP_CONGESTION),
        granted(ASK.congestion(RENO), On::Tcp, "reno"),
        Cell::Listed("an algorithm is found by its whole name or not at all"),
        differs(ASK.congestion(NOPE), On::Tcp, Want::NotLoaded),
    ),
    row(
        "TCP_ULP",
        (TCP, libc::TCP_ULP),
        differs(ASK.ulp(Ulp::Tls), On::TcpConnected, Want::IfLoaded),
        differs(ASK.ulp(Ulp::Tls), On::Tcp, Want::TooEarly),
        differs(ASK.ulp(Ulp::Tls), On::Udp, Want::NotSupported),
    ),
];
