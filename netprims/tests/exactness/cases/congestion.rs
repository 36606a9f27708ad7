//! Which congestion control algorithm a process may choose.

use std::process::Command;

use rstest::{Context, rstest};

use super::{ASK, ask, name};
use crate::case::{Case, Exact, Who, World};
use crate::host::{is_root, sysctl};
use crate::open::*;
use crate::want::*;

const AVAILABLE: &str = "net.ipv4.tcp_available_congestion_control";
const ALLOWED: &str = "net.ipv4.tcp_allowed_congestion_control";

#[rstest]
#[case::restricted_algorithm(Exact(
    Case::of(with_restricted, |socket, _| {
        ASK.congestion(chosen().parse().unwrap()).apply(&socket.fd)
    }),
    |w| {
        let name = &chosen();
        if w.network || w.sysctl(ALLOWED).split(' ').any(|allowed| allowed == name) {
            return granted("TCP_CONGESTION", name);
        }
        let lists = lists(w);
        differs(
            "TCP_CONGESTION",
            [name, &default(w)],
            "CongestionNotAllowed",
            &format!("not allowed without CAP_NET_ADMIN ({lists})"),
            &format!("add {name} to {ALLOWED}, or grant CAP_NET_ADMIN"),
        )
    }))]
#[case::algorithm_that_is_not_there(Exact(Case::of(tcp, ask!(ASK.congestion("nope".parse().unwrap()))), |w| {
    differs(
        "TCP_CONGESTION",
        ["nope", &default(w)],
        "CongestionNotLoaded",
        &format!("no such algorithm loaded ({})", lists(w)),
        "load its module (modprobe tcp_nope), or choose one that is available",
    )
}))]
#[case::allowed_algorithm(Exact(Case::of(tcp, ask!(ASK.congestion("reno".parse().unwrap()))), |_| {
    granted("TCP_CONGESTION", "reno")
}))]
fn the_report_is_exact(
    #[context] context: Context,
    #[case] exact: Exact,
    #[values(Who::Root, Who::Nobody)] who: Who,
) {
    exact.check(name(&context), who);
}

/// An algorithm that only a privileged process may choose: cubic where the default is another one. `None` where every one
/// that is loaded may be chosen by all.
fn restricted() -> Option<String> {
    let list = |name| sysctl(name).unwrap();
    let (available, allowed) = (list(AVAILABLE), list(ALLOWED));
    let is_allowed = |name: &&str| allowed.split(' ').any(|allowed| allowed == *name);
    let mut names = available.split(' ').filter(|name| !is_allowed(name));
    names.next().map(str::to_owned)
}

/// Loads one if there is none and this kernel has its module.
fn with_restricted() -> Opened {
    if restricted().is_none() && is_root() {
        let loaded = Command::new("modprobe").arg("tcp_vegas").output();
        let loaded = loaded.is_ok_and(|output| output.status.success());
        assert_eq!(loaded, restricted().is_some());
    }
    tcp()
}

/// Which one is asked for.
fn chosen() -> String {
    restricted().unwrap_or_else(|| "cubic".to_owned())
}

fn default(w: &World) -> String {
    w.sysctl("net.ipv4.tcp_congestion_control")
}

fn lists(w: &World) -> String {
    let [available, allowed] = [AVAILABLE, ALLOWED].map(|name| w.sysctl(name));
    format!("available: {available}; allowed: {allowed}")
}
