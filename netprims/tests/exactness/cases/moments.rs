//! Options that a socket has only on a part of its way.

use netprims::tuning::{Timestamping, Ulp};
use rstest::{Context, rstest};

use super::{ASK, ask, name};
use crate::case::{Case, Exact, Who};
use crate::open::*;
use crate::want::*;

const ULP: (i32, i32) = (libc::IPPROTO_TCP, libc::TCP_ULP);
const NOT_LOADED: (&str, &str) = (
    "the kernel module tls is not loaded",
    "load it (modprobe tls), on a kernel built with CONFIG_TLS",
);

#[rstest]
#[case::retransmissions_of_a_connection(Exact(Case::of(connected, ask!(ASK.syn_count(3))).fresh(RETRIES), |_| {
    too_late("TCP_SYNCNT", ["3", "5"], "bound", "connected")
}))]
#[case::retransmissions_before(Exact(Case::of(tcp, ask!(ASK.syn_count(3))).fresh(RETRIES), |_| {
    granted("TCP_SYNCNT", "3")
}))]
#[case::foreign_address_once_bound(Exact(Case::of(udp_bound, ask!(ASK.freebind(true))), |_| {
    too_late("IP_FREEBIND", ["on", "off"], "not yet bound", "bound")
}))]
#[case::port_left_to_connect_once_listening(Exact(
    Case::of(listening, ask!(ASK.bind_address_no_port(true))),
    |_| too_late("IP_BIND_ADDRESS_NO_PORT", ["on", "off"], "not yet bound", "listening")))]
#[case::deferred_accept_of_a_connection(Exact(
    Case::of(connected, ask!(ASK.defer_accept(std::time::Duration::from_secs(7)))),
    |_| too_late("TCP_DEFER_ACCEPT", ["7000000 µs", "0 µs"], "listening", "connected")))]
#[case::tls_before_connecting(Exact(Case::of(tcp, ask!(ASK.ulp(Ulp::Tls))), |_| {
    too_early("TCP_ULP", ["tls", ""], "not yet bound")
}))]
#[case::tls_of_a_listener(Exact(Case::of(listening, ask!(ASK.ulp(Ulp::Tls))), |_| {
    too_early("TCP_ULP", ["tls", ""], "listening")
}))]
#[case::tls_as_this_kernel_has_it(Exact(Case::of(connected, ask!(ASK.ulp(Ulp::Tls))), |_| {
    match has_tls() {
        true => granted("TCP_ULP", "tls"),
        false => no_tls(),
    }
}))]
#[case::tls_that_is_not_loaded(Exact(
    Case::of(connected, ask!(ASK.ulp(Ulp::Tls))).hidden(ULP.0, ULP.1, libc::ENOENT),
    |_| no_tls()))]
#[case::numbered_stamps_before_connecting(Exact(
    Case::of(tcp, ask!(ASK.timestamping(Timestamping::OPT_ID))),
    |_| differs(
        "SO_TIMESTAMPING",
        ["opt_id", "nothing"],
        "KernelRule",
        "TCP numbers stamps only of a connected socket",
        "apply it once the socket is connected",
    )))]
fn the_report_is_exact(
    #[context] context: Context,
    #[case] exact: Exact,
    #[values(Who::Root, Who::Nobody)] who: Who,
) {
    exact.check(name(&context), who);
}

const RETRIES: &[(&str, &str)] = &[("net.ipv4.tcp_syn_retries", "5")];

/// Whether the module is loaded; only the first network namespace shows the list.
fn has_tls() -> bool {
    let list = crate::host::sysctl("net.ipv4.tcp_available_ulp");
    list.map_or_else(
        || std::path::Path::new("/sys/module/tls").exists(),
        |list| list.split(' ').any(|name| name == "tls"),
    )
}

fn no_tls() -> Want {
    let (why, remedy) = NOT_LOADED;
    differs("TCP_ULP", ["tls", ""], "ModuleNotLoaded", why, remedy)
}
