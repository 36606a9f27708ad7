//! Options of sockets, and of internet sockets.

use super::*;

/// Up to the first that only TCP has.
pub(super) const ROWS: &[Row] = &[
    row(
        "SO_RCVBUF",
        (SOCKET, libc::SO_RCVBUF),
        granted(
            ASK.receive_buffer(100_000),
            On::Udp,
            "200000 bytes",
            Raw::Numbers(&[200_000]),
        ),
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
        privileged(
            ASK.receive_buffer_force(50_000_000),
            On::Udp,
            SYSTEM,
            Raw::Numbers(&[100_000_000]),
        )
        .at(&[(SOCKET, libc::SO_RCVBUF)]),
        forced(ASK.receive_buffer_force(1), On::Udp, Want::Rule, SYSTEM),
        invalid(ASK.receive_buffer_force(1 << 30), On::Tcp),
    ),
    row(
        "SO_SNDBUF",
        (SOCKET, libc::SO_SNDBUF),
        granted(
            ASK.send_buffer(90_000),
            On::Udp,
            "180000 bytes",
            Raw::Numbers(&[180_000]),
        ),
        differs(ASK.send_buffer(1), On::Udp, Want::Rule),
        invalid(ASK.send_buffer(0), On::Tcp),
    ),
    row(
        "SO_SNDBUFFORCE",
        (SOCKET, libc::SO_SNDBUFFORCE),
        privileged(
            ASK.send_buffer_force(50_000_000),
            On::Tcp,
            SYSTEM,
            Raw::Numbers(&[100_000_000]),
        )
        .at(&[(SOCKET, libc::SO_SNDBUF)]),
        forced(ASK.send_buffer_force(1), On::Udp, Want::Rule, SYSTEM),
        invalid(ASK.send_buffer_force(0), On::Tcp),
    ),
    row(
        "IPV6_V6ONLY",
        (IPV6, libc::IPV6_V6ONLY),
        granted(ASK.only_v6(true), On::Tcp6, "on", Raw::ON),
        off_again(ASK.only_v6(true), ASK.only_v6(false), On::Tcp6),
        differs(ASK.only_v6(true), On::Tcp, Want::NotSupported),
    ),
    row(
        "SO_REUSEADDR",
        (SOCKET, libc::SO_REUSEADDR),
        granted(ASK.reuse_address(true), On::Udp, "on", Raw::ON),
        off_again(ASK.reuse_address(true), ASK.reuse_address(false), On::Udp),
        no_socket(ASK.reuse_address(true)),
    ),
    row(
        "SO_REUSEPORT",
        (SOCKET, libc::SO_REUSEPORT),
        granted(ASK.reuse_port(true), On::Udp, "on", Raw::ON),
        off_again(ASK.reuse_port(true), ASK.reuse_port(false), On::Tcp),
        differs(ASK.reuse_port(true), On::Unix, Want::NotSupported)
            .before_it_was_taken_over((6, 13), Want::Granted)
            .raw(Raw::ON),
    ),
    row(
        "SO_INCOMING_CPU",
        (SOCKET, libc::SO_INCOMING_CPU),
        granted(
            ASK.incoming_cpu(1),
            On::TcpListening,
            "1",
            Raw::Numbers(&[1]),
        ),
        granted(
            ASK.incoming_cpu(0x7fff_ffff),
            On::TcpListening,
            "2147483647",
            Raw::Numbers(&[0x7fff_ffff]),
        ),
        invalid(ASK.incoming_cpu(1 << 31), On::Tcp),
    ),
    row(
        "IP_FREEBIND",
        (IP, libc::IP_FREEBIND),
        granted(ASK.freebind(true), On::Tcp6, "on", Raw::ON),
        differs_to(ASK.freebind(true), On::Udp, Want::TooLate, "off"),
        differs(ASK.freebind(true), On::Unix, Want::NotSupported),
    ),
    row(
        "IP_TRANSPARENT",
        (IP, libc::IP_TRANSPARENT),
        privileged(ASK.transparent(true), On::Tcp6, NETWORK, Raw::ON),
        off_again(ASK.transparent(true), ASK.transparent(false), On::Tcp),
        differs(ASK.transparent(true), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_BINDTODEVICE",
        (SOCKET, libc::SO_BINDTODEVICE),
        granted(ASK.interface(LOOPBACK), On::Tcp, "lo", Raw::Text("lo")),
        Cell::Listed("a device is found by its whole name or not at all"),
        differs_to(ASK.interface(NO_SUCH), On::Udp, Want::Rule, "off"),
    ),
    row(
        "IP_BIND_ADDRESS_NO_PORT",
        (IP, libc::IP_BIND_ADDRESS_NO_PORT),
        granted(ASK.bind_address_no_port(true), On::Tcp6, "on", Raw::ON),
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
        granted(
            ASK.local_port_range(PORTS),
            On::Tcp6,
            "40000 to 40999",
            Raw::Numbers(&[40_999 << 16 | 40_000]),
        ),
        granted(
            ASK.local_port_range(ALL_PORTS),
            On::Tcp,
            "1 to 65535",
            Raw::Numbers(&[65_535 << 16 | 1]),
        ),
        differs_to(ASK.local_port_range(PORTS), On::Udp, Want::TooLate, "off"),
    )
    .since(6, 3),
    row(
        "SO_MARK",
        (SOCKET, libc::SO_MARK),
        privileged(ASK.mark(7), On::Udp, NETWORK, Raw::Numbers(&[7])),
        privileged(
            ASK.mark(u32::MAX),
            On::Tcp,
            NETWORK,
            Raw::Numbers(&[0xffff_ffff]),
        ),
        no_socket(ASK.mark(7)),
    ),
    row(
        "IP_TOS",
        (IP, libc::IP_TOS),
        granted(
            ASK.dscp(Dscp::EXPEDITED_FORWARDING),
            On::Tcp6,
            "DSCP 46",
            Raw::Numbers(&[46 << 2]),
        )
        .at(&[(IP, libc::IP_TOS), (IPV6, libc::IPV6_TCLASS)]),
        granted(
            ASK.dscp(HIGHEST),
            On::Udp,
            "DSCP 63",
            Raw::Numbers(&[63 << 2]),
        ),
        differs(ASK.dscp(Dscp::LOWER_EFFORT), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_PRIORITY",
        (SOCKET, libc::SO_PRIORITY),
        granted(ASK.priority(6), On::Udp, "6", Raw::Numbers(&[6])),
        privileged(
            ASK.priority(u32::MAX),
            On::Tcp,
            NETWORK,
            Raw::Numbers(&[0xffff_ffff]),
        ),
        privileged(ASK.priority(7), On::Udp, NETWORK, Raw::Numbers(&[7])),
    ),
    row(
        "IP_TTL",
        (IP, libc::IP_TTL),
        granted(ASK.hop_limit(9), On::Udp6, "9", Raw::Numbers(&[9]))
            .at(&[(IP, libc::IP_TTL), (IPV6, libc::IPV6_UNICAST_HOPS)]),
        granted(ASK.hop_limit(255), On::Tcp, "255", Raw::Numbers(&[255])),
        invalid(ASK.hop_limit(256), On::Tcp),
    ),
    row(
        "IP_MTU_DISCOVER",
        (IP, libc::IP_MTU_DISCOVER),
        granted(
            ASK.path_mtu(PathMtu::Probe),
            On::Udp6,
            "probe",
            Raw::Numbers(&[libc::IP_PMTUDISC_PROBE as i64]),
        )
        .at(&[(IP, libc::IP_MTU_DISCOVER), (IPV6, libc::IPV6_MTU_DISCOVER)]),
        granted(
            ASK.path_mtu(PathMtu::Omit),
            On::Tcp,
            "omit",
            Raw::Numbers(&[libc::IP_PMTUDISC_OMIT as i64]),
        ),
        differs(ASK.path_mtu(PathMtu::Do), On::Unix, Want::NotSupported),
    ),
    row(
        "IP_RECVERR",
        (IP, libc::IP_RECVERR),
        granted(ASK.receive_errors(true), On::Udp6, "on", Raw::ON)
            .at(&[(IP, libc::IP_RECVERR), (IPV6, libc::IPV6_RECVERR)]),
        off_again(ASK.receive_errors(true), ASK.receive_errors(false), On::Udp),
        differs(ASK.receive_errors(true), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_RCVLOWAT",
        (SOCKET, libc::SO_RCVLOWAT),
        granted(
            ASK.receive_low_water(5),
            On::Tcp,
            "5 bytes",
            Raw::Numbers(&[5]),
        ),
        differs(
            ASK.receive_low_water(1_073_741_823),
            On::Tcp,
            Want::Sysctl("net.ipv4.tcp_rmem"),
        ),
        invalid(ASK.receive_low_water(0), On::Tcp),
    ),
    row(
        "SO_PEEK_OFF",
        (SOCKET, libc::SO_PEEK_OFF),
        granted(ASK.peek_offset(5), On::Unix, "5 bytes", Raw::Numbers(&[5])),
        granted(
            ASK.peek_offset(0x7fff_ffff),
            On::Unix,
            "2147483647 bytes",
            Raw::Numbers(&[0x7fff_ffff]),
        ),
        invalid(ASK.peek_offset(1 << 31), On::Unix),
    ),
    row(
        "SO_ZEROCOPY",
        (SOCKET, libc::SO_ZEROCOPY),
        granted(ASK.zerocopy(true), On::Tcp, "on", Raw::ON),
        off_again(ASK.zerocopy(true), ASK.zerocopy(false), On::Udp),
        differs(ASK.zerocopy(true), On::Unix, Want::NotSupported),
    ),
    row(
        "SO_TIMESTAMPING",
        (SOCKET, libc::SO_TIMESTAMPING),
        granted(
            ASK.timestamping(STAMPS),
            On::Udp,
            "rx_software+software",
            RAW_STAMPS,
        ),
        granted(
            ASK.timestamping(STAMPS_OF_ALL_KINDS),
            On::Udp,
            "tx_hardware+tx_software+rx_hardware+rx_software+software+raw_hardware+opt_id+tx_sched+opt_tsonly",
            RAW_STAMPS_OF_ALL_KINDS,
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
            Raw::Numbers(&[
                libc::CLOCK_MONOTONIC as i64,
                libc::SOF_TXTIME_DEADLINE_MODE as i64,
            ]),
        ),
        granted(
            ASK.txtime(
                TxTime::new(Clock::Monotonic)
                    .deadline(true)
                    .report_errors(true),
            ),
            On::Tcp,
            "monotonic, deadline, errors reported",
            Raw::Numbers(&[
                libc::CLOCK_MONOTONIC as i64,
                (libc::SOF_TXTIME_DEADLINE_MODE | libc::SOF_TXTIME_REPORT_ERRORS) as i64,
            ]),
        ),
        privileged(
            ASK.txtime(TxTime::new(Clock::Tai)),
            On::Udp,
            Want::Network("CAP_NET_ADMIN"),
            Raw::Numbers(&[libc::CLOCK_TAI as i64, 0]),
        ),
    ),
    row(
        "SO_MAX_PACING_RATE",
        (SOCKET, libc::SO_MAX_PACING_RATE),
        granted(
            ASK.max_pacing_rate(1_000_000),
            On::Tcp,
            "1000000 bytes/s",
            Raw::Wide(1_000_000),
        ),
        granted(
            ASK.max_pacing_rate(u64::MAX - 1),
            On::Tcp,
            "18446744073709551614 bytes/s",
            Raw::Wide(u64::MAX - 1),
        ),
        invalid(ASK.max_pacing_rate(0), On::Tcp),
    ),
    row(
        "SO_LINGER",
        (SOCKET, libc::SO_LINGER),
        granted(
            ASK.linger(Duration::from_secs(5)),
            On::Tcp,
            "5000000 µs",
            Raw::Numbers(&[1, 5]),
        ),
        granted(
            ASK.linger(Duration::from_secs(0x7fff_ffff)),
            On::Tcp,
            "2147483647000000 µs",
            Raw::Numbers(&[1, 0x7fff_ffff]),
        ),
        invalid(ASK.linger(Duration::from_millis(1)), On::Tcp),
    ),
    row(
        "SO_KEEPALIVE",
        (SOCKET, libc::SO_KEEPALIVE),
        granted(ASK.keepalive(true), On::Tcp, "on", Raw::ON),
        off_again(ASK.keepalive(true), ASK.keepalive(false), On::Tcp),
        no_socket(ASK.keepalive(true)),
    ),
];
