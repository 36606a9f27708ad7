//! Options of other kinds of sockets, and of newer kernels.

use netprims::tuning::{PathMtu, PortRange};
use rstest::{Context, rstest};

use super::{ASK, ask, name};
use crate::case::{Case, Exact, Who};
use crate::open::*;
use crate::want::*;

#[rstest]
#[case::tcp_option_on_udp(Exact(Case::of(udp, ask!(ASK.nodelay(true))), |_| of_others("TCP_NODELAY", ["on", ""], "TCP")))]
#[case::tcp_option_on_a_unix_socket(Exact(Case::of(unix, ask!(ASK.nodelay(true))), |_| {
    of_others("TCP_NODELAY", ["on", ""], "TCP")
}))]
#[case::udp_option_on_tcp(Exact(Case::of(tcp, ask!(ASK.udp_gro(true))), |_| of_others("UDP_GRO", ["on", ""], "UDP")))]
#[case::ipv6_option_on_ipv4(Exact(Case::of(tcp, ask!(ASK.only_v6(true))), |_| unknown("IPV6_V6ONLY", ["on", ""])))]
#[case::ip_option_on_a_unix_socket(Exact(Case::of(unix, ask!(ASK.path_mtu(PathMtu::Do))), |_| {
    of_others("IP_MTU_DISCOVER", ["do", ""], "TCP and UDP")
}))]
#[case::zerocopy_of_a_unix_socket(Exact(Case::of(unix, ask!(ASK.zerocopy(true))), |_| {
    of_others("SO_ZEROCOPY", ["on", "off"], "TCP and UDP")
}))]
#[case::taken_for_nothing(Exact(Case::of(udp, ask!(ASK.keepalive(true))), |_| {
    granted("SO_KEEPALIVE", "on")
        .warning("SO_KEEPALIVE: it has an effect on TCP sockets, which this is not")
}))]
#[case::one_of_each(Exact(Case::of(udp, ask!(ASK.nodelay(true).udp_gro(true).only_v6(true))), |_| {
    unknown("IPV6_V6ONLY", ["on", ""])
        .and(of_others("TCP_NODELAY", ["on", ""], "TCP"))
        .and(granted("UDP_GRO", "on"))
}))]
#[case::option_of_a_newer_kernel(Exact(
    Case::of(tcp, ask!(ASK.local_port_range(PortRange::new(40_000, 40_999).unwrap()))).hidden(libc::IPPROTO_IP, 51, libc::ENOPROTOOPT),
    |_| unknown("IP_LOCAL_PORT_RANGE", ["40000 to 40999", ""])))]
#[case::option_that_was_not_built_in(Exact(
    Case::of(udp, ask!(ASK.busy_poll_budget(64))).hidden(libc::SOL_SOCKET, 70, libc::ENOPROTOOPT),
    |_| unknown("SO_BUSY_POLL_BUDGET", ["64", ""])))]
#[case::strict_tells_all(Exact(Case::of(udp, ask!(ASK.nodelay(true).udp_gro(true).strict(true))), |_| failed(
    "tuning not granted in full:\n\
     TCP_NODELAY: on requested, not readable: an option of TCP sockets, which this is not\n\
     UDP_GRO: on"
)))]
fn the_report_is_exact(
    #[context] context: Context,
    #[case] exact: Exact,
    #[values(Who::Root, Who::Nobody)] who: Who,
) {
    exact.check(name(&context), who);
}
