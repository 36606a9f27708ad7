//! What limits a listener.

use std::net::SocketAddr;

use netprims::socket::{TcpBuilder, UnixBuilder};
use netprims::tuning::{Report, Tuning};
use rstest::{Context, rstest};

use super::{ASK, ask, name};
use crate::case::{Case, Exact, Who, World};
use crate::open::*;
use crate::want::*;

const SOMAXCONN: &[(&str, &str)] = &[("net.core.somaxconn", "77"), ("net.ipv4.tcp_fastopen", "3")];

#[rstest]
#[case::backlog_over_the_sysctl(Exact(Case::of(file, listen::<1000>).fresh(SOMAXCONN), |_| cut()))]
#[case::backlog_over_the_sysctl_foreseen(Exact(Case::of(file, foresee::<1000>).fresh(SOMAXCONN), |_| cut()))]
#[case::backlog_over_the_sysctl_of_a_unix_socket(Exact(
    Case::of(file, listen_unix::<1000>).fresh(SOMAXCONN),
    |_| cut()))]
#[case::backlog_over_the_sysctl_strictly(Exact(Case::of(file, listen_strictly).fresh(SOMAXCONN), |_| {
    failed(
        "tuning not granted in full:\nlisten backlog: 1000 requested, 77 in effect: net.core.somaxconn is 77; raise \
         net.core.somaxconn to 1000 in the socket's network namespace",
    )
}))]
#[case::backlog_up_to_the_sysctl(Exact(Case::of(file, listen::<77>).fresh(SOMAXCONN), |_| {
    granted("listen backlog", "77")
}))]
#[case::backlog_up_to_the_sysctl_of_a_unix_socket(Exact(
    Case::of(file, listen_unix::<77>).fresh(SOMAXCONN),
    |_| granted("listen backlog", "77")))]
#[case::backlog_left_to_the_kernel(Exact(Case::of(file, listen_without).fresh(SOMAXCONN), |_| nothing()))]
#[case::fastopen_over_the_sysctl(Exact(
    Case::of(tcp, ask!(ASK.fastopen(1000))).fresh(SOMAXCONN),
    |_| differs(
        "TCP_FASTOPEN",
        ["1000", "77"],
        "Sysctl",
        "net.core.somaxconn is 77",
        "raise net.core.somaxconn to 1000 in the socket's network namespace",
    )))]
#[case::fastopen_of_servers_allowed(Exact(
    Case::of(listening, ask!(ASK.fastopen(16))).fresh(SOMAXCONN),
    |_| granted("TCP_FASTOPEN", "16")))]
#[case::fastopen_of_servers_not_allowed(Exact(
    Case::of(tcp, ask!(ASK.fastopen(16))).fresh(&[("net.ipv4.tcp_fastopen", "1")]),
    |_| granted("TCP_FASTOPEN", "16")
        .warning("TCP_FASTOPEN: net.ipv4.tcp_fastopen is 1: it does not allow servers: 2 must be in it")))]
#[case::fastopen_of_clients_allowed(Exact(
    Case::of(tcp, ask!(ASK.fastopen_connect(true))).fresh(SOMAXCONN),
    |_| granted("TCP_FASTOPEN_CONNECT", "on")))]
#[case::fastopen_of_clients_not_allowed(Exact(
    Case::of(tcp, ask!(ASK.fastopen_connect(true))).fresh(&[("net.ipv4.tcp_fastopen", "2")]),
    |_| differs(
        "TCP_FASTOPEN_CONNECT",
        ["on", "off"],
        "Sysctl",
        "net.ipv4.tcp_fastopen is 2",
        "set net.ipv4.tcp_fastopen to 3",
    )))]
#[case::ports_within_the_sysctl(Exact(
    Case::of(tcp, ask!(ASK.local_port_range(ports(40_000, 40_999)))).fresh(PORTS),
    |_| granted("IP_LOCAL_PORT_RANGE", "40000 to 40999")))]
#[case::ports_outside_of_the_sysctl(Exact(
    Case::of(tcp, ask!(ASK.local_port_range(ports(1, 40_999)))).fresh(PORTS),
    |_| granted("IP_LOCAL_PORT_RANGE", "1 to 40999").warning(
        "IP_LOCAL_PORT_RANGE: net.ipv4.ip_local_port_range is 30000 50001: an end outside of it does not count",
    )))]
fn the_report_is_exact(
    #[context] context: Context,
    #[case] exact: Exact,
    #[values(Who::Root, Who::Nobody)] who: Who,
) {
    exact.check(name(&context), who);
}

const PORTS: &[(&str, &str)] = &[("net.ipv4.ip_local_port_range", "30000 50001")];

fn ports(first: u16, last: u16) -> netprims::tuning::PortRange {
    netprims::tuning::PortRange::new(first, last).unwrap()
}

fn cut() -> Want {
    differs(
        "listen backlog",
        ["1000", "77"],
        "Sysctl",
        "net.core.somaxconn is 77",
        "raise net.core.somaxconn to 1000 in the socket's network namespace",
    )
}

const TCP: TcpBuilder = TcpBuilder::new();

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn listen_without(_: &Opened, _: &World) -> netprims::Result<Report> {
    Ok(TCP.listen(any())?.1)
}

fn listen<const BACKLOG: u32>(_: &Opened, _: &World) -> netprims::Result<Report> {
    Ok(TCP.backlog(BACKLOG).listen(any())?.1)
}

fn listen_strictly(_: &Opened, _: &World) -> netprims::Result<Report> {
    let strict = TCP.tuning(Tuning::tcp().strict(true));
    Ok(strict.backlog(1000).listen(any())?.1)
}

fn foresee<const BACKLOG: u32>(_: &Opened, _: &World) -> netprims::Result<Report> {
    TCP.backlog(BACKLOG).check_listen(any())
}

fn listen_unix<const BACKLOG: u32>(_: &Opened, _: &World) -> netprims::Result<Report> {
    let unnamed = std::os::unix::net::SocketAddr::from_pathname("").unwrap();
    let (_, report) = UnixBuilder::new().backlog(BACKLOG).listen(&unnamed)?;
    Ok(report)
}
