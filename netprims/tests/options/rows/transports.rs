//! Options of TCP and UDP, and those that are set last.

use super::*;

/// From the first that only TCP has.
pub(super) const ROWS: &[Row] = &[
    row(
        "TCP_KEEPIDLE",
        (TCP, libc::TCP_KEEPIDLE),
        granted(
            ASK.keepalive_idle(Duration::from_secs(30)),
            On::Tcp,
            "30000000 µs",
            Raw::Numbers(&[30]),
        ),
        granted(
            ASK.keepalive_idle(Duration::from_secs(32_767)),
            On::Tcp,
            "32767000000 µs",
            Raw::Numbers(&[32_767]),
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
            Raw::Numbers(&[10]),
        ),
        granted(
            ASK.keepalive_interval(Duration::from_secs(32_767)),
            On::Tcp,
            "32767000000 µs",
            Raw::Numbers(&[32_767]),
        ),
        invalid(ASK.keepalive_interval(Duration::from_secs(32_768)), On::Tcp),
    ),
    row(
        "TCP_KEEPCNT",
        (TCP, libc::TCP_KEEPCNT),
        granted(ASK.keepalive_count(5), On::Tcp, "5", Raw::Numbers(&[5])),
        granted(
            ASK.keepalive_count(127),
            On::Tcp,
            "127",
            Raw::Numbers(&[127]),
        ),
        invalid(ASK.keepalive_count(128), On::Tcp),
    ),
    row(
        "TCP_USER_TIMEOUT",
        (TCP, libc::TCP_USER_TIMEOUT),
        granted(
            ASK.user_timeout(Duration::from_secs(5)),
            On::Tcp,
            "5000000 µs",
            Raw::Numbers(&[5000]),
        ),
        granted(
            ASK.user_timeout(Duration::from_millis(0x7fff_ffff)),
            On::Tcp,
            "2147483647000 µs",
            Raw::Numbers(&[0x7fff_ffff]),
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
        granted(ASK.nodelay(true), On::Tcp, "on", Raw::ON),
        off_again(ASK.nodelay(true), ASK.nodelay(false), On::Tcp),
        differs(ASK.nodelay(true), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_QUICKACK",
        (TCP, libc::TCP_QUICKACK),
        granted(ASK.quickack(false), On::Tcp, "off", Raw::OFF),
        back(
            ASK.quickack(false),
            ASK.quickack(true),
            On::TcpConnected,
            "on",
            Raw::ON,
        ),
        differs(ASK.quickack(true), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_CORK",
        (TCP, libc::TCP_CORK),
        granted(ASK.cork(true), On::TcpConnected, "on", Raw::ON),
        off_again(ASK.cork(true), ASK.cork(false), On::TcpConnected),
        differs(ASK.cork(true), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_NOTSENT_LOWAT",
        (TCP, libc::TCP_NOTSENT_LOWAT),
        granted(
            ASK.notsent_lowat(16_384),
            On::Tcp,
            "16384 bytes",
            Raw::Numbers(&[16_384]),
        ),
        granted(
            ASK.notsent_lowat(u32::MAX),
            On::Tcp,
            "4294967295 bytes",
            Raw::Numbers(&[0xffff_ffff]),
        ),
        differs(ASK.notsent_lowat(16_384), On::Udp, Want::NotSupported),
    ),
    row(
        "TCP_MAXSEG",
        (TCP, libc::TCP_MAXSEG),
        granted(
            ASK.max_segment(1200),
            On::Tcp,
            "1200 bytes",
            Raw::Numbers(&[1200]),
        ),
        differs(ASK.max_segment(1200), On::TcpConnected, Want::TooLate),
        invalid(ASK.max_segment(87), On::Tcp),
    ),
    row(
        "TCP_WINDOW_CLAMP",
        (TCP, libc::TCP_WINDOW_CLAMP),
        granted(
            ASK.window_clamp(65_536),
            On::Tcp,
            "65536 bytes",
            Raw::Numbers(&[65_536]),
        ),
        differs(ASK.window_clamp(1), On::Tcp, Want::Rule),
        invalid(ASK.window_clamp(0), On::Tcp),
    ),
    row(
        "TCP_SYNCNT",
        (TCP, libc::TCP_SYNCNT),
        granted(ASK.syn_count(3), On::Tcp, "3", Raw::Numbers(&[3])),
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
            Raw::Numbers(&[7]),
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
        granted(
            ASK.fastopen(16),
            On::TcpListening,
            "16",
            Raw::Numbers(&[16]),
        ),
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
        granted(ASK.fastopen_connect(true), On::Tcp, "on", Raw::ON),
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
        granted(
            ASK.udp_segment(1400),
            On::Udp,
            "1400 bytes",
            Raw::Numbers(&[1400]),
        ),
        granted(
            ASK.udp_segment(65_535),
            On::Udp,
            "65535 bytes",
            Raw::Numbers(&[65_535]),
        ),
        differs(ASK.udp_segment(1400), On::Tcp, Want::NotSupported),
    ),
    row(
        "UDP_GRO",
        (UDP, libc::UDP_GRO),
        granted(ASK.udp_gro(true), On::Udp, "on", Raw::ON),
        off_again(ASK.udp_gro(true), ASK.udp_gro(false), On::Udp),
        differs(ASK.udp_gro(true), On::Tcp, Want::NotSupported),
    ),
    row(
        "SO_BUSY_POLL",
        (SOCKET, libc::SO_BUSY_POLL),
        granted(
            ASK.busy_poll(Duration::from_micros(30)),
            On::Udp,
            "30 µs",
            Raw::Numbers(&[30]),
        )
        .before((6, 4), Want::Granted, SYSTEM),
        granted(
            ASK.busy_poll(Duration::from_micros(0x7fff_ffff)),
            On::Udp,
            "2147483647 µs",
            Raw::Numbers(&[0x7fff_ffff]),
        )
        .before((6, 4), Want::Granted, SYSTEM),
        invalid(ASK.busy_poll(Duration::from_nanos(1)), On::Tcp),
    ),
    row(
        "SO_PREFER_BUSY_POLL",
        (SOCKET, 69),
        privileged(ASK.prefer_busy_poll(true), On::Udp, SYSTEM, Raw::ON),
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
        privileged(ASK.busy_poll_budget(64), On::Udp, SYSTEM, Raw::Unreadable),
        privileged(
            ASK.busy_poll_budget(65_535),
            On::Tcp,
            SYSTEM,
            Raw::Unreadable,
        ),
        invalid(ASK.busy_poll_budget(65_536), On::Tcp),
    )
    .since(5, 11),
    row(
        "TCP_CONGESTION",
        (TCP, libc::TCP_CONGESTION),
        granted(ASK.congestion(RENO), On::Tcp, "reno", Raw::Text("reno")),
        Cell::Listed("an algorithm is found by its whole name or not at all"),
        differs(ASK.congestion(NOPE), On::Tcp, Want::NotLoaded),
    ),
    row(
        "TCP_ULP",
        (TCP, libc::TCP_ULP),
        differs(ASK.ulp(Ulp::Tls), On::TcpConnected, Want::IfLoaded).raw(Raw::Text("tls")),
        differs(ASK.ulp(Ulp::Tls), On::Tcp, Want::TooEarly),
        differs(ASK.ulp(Ulp::Tls), On::Udp, Want::NotSupported),
    ),
];
