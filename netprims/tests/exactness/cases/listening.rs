//! What limits a listener.

use netprims::socket::TcpBuilder;
use rstest::{Context, rstest};

use super::{ASK, ask, name};
use crate::case::{Case, Exact, Who, World};
use crate::open::*;
use crate::want::*;

const SOMAXCONN: &[(&str, &str)] = &[("net.core.somaxconn", "77"), ("net.ipv4.tcp_fastopen", "3")];

#[rstest]
#[case::backlog_over_the_sysctl(Exact(Case::of(file, listen::<1000>).fresh(SOMAXCONN), |_| {
    nothing().warning("listen: a backlog of 1000 requested, 77 in effect (net.core.somaxconn)")
}))]
#[case::backlog_up_to_the_sysctl(Exact(Case::of(file, listen::<77>).fresh(SOMAXCONN), |_| nothing()))]
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

fn listen<const BACKLOG: u32>(_: &Opened, _: &World) -> netprims::Result<netprims::tuning::Report> {
    let builder = TcpBuilder::new().backlog(BACKLOG);
    let (_, report) = builder.listen("127.0.0.1:0".parse().unwrap())?;
    Ok(report)
}
