//! A remedy that names a number for a sysctl of the network namespace can be followed, and lifts the difference.

use netprims::tuning::{Cause, Report, Tuning};
use rstest::{Context, rstest};

use super::{ASK, name};
use crate::case::{Case, Exact, Who};
use crate::host::sysctl;
use crate::open::*;
use crate::want::*;

const SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.tcp_rmem", "4096 100000 400000"),
    ("net.core.somaxconn", "77"),
    ("net.ipv4.tcp_fastopen", "2"),
];

#[rstest]
#[case::low_water_of_an_odd_half(Exact(
    Case::of(tcp, |socket, _| lifted(socket, ASK.receive_low_water(200_001))).fresh(SYSCTLS),
    |_| granted("SO_RCVLOWAT", "200001 bytes")))]
#[case::the_most_low_water_that_can_be(Exact(
    Case::of(tcp, |socket, _| lifted(socket, ASK.receive_low_water(1_073_741_823))).fresh(SYSCTLS),
    |_| granted("SO_RCVLOWAT", "1073741823 bytes")))]
#[case::connections_with_data(Exact(
    Case::of(tcp, |socket, _| lifted(socket, ASK.fastopen(1000))).fresh(SYSCTLS),
    |_| granted("TCP_FASTOPEN", "1000")))]
#[case::the_most_connections_with_data(Exact(
    Case::of(tcp, |socket, _| lifted(socket, ASK.fastopen(0x7fff_ffff))).fresh(SYSCTLS),
    |_| granted("TCP_FASTOPEN", "2147483647")))]
#[case::data_with_a_connection(Exact(
    Case::of(tcp, |socket, _| lifted(socket, ASK.fastopen_connect(true))).fresh(SYSCTLS),
    |_| granted("TCP_FASTOPEN_CONNECT", "on")))]
fn what_a_remedy_says_lifts_the_difference(#[context] context: Context, #[case] exact: Exact) {
    exact.check(name(&context), Who::Root);
}

/// Asks, does what the remedy says, and asks again.
fn lifted(socket: &Opened, tuning: Tuning) -> netprims::Result<Report> {
    let report = tuning.apply(&socket.fd)?;
    let difference = report.differences().next().expect("a difference");
    let Cause::Sysctl { name, .. } = difference.cause() else {
        panic!("{report}");
    };
    let remedy = difference.remedy().expect("a remedy");
    let number = remedy.split_once(" to ").expect(remedy).1;
    let number = number.split(' ').next().expect(remedy);
    let before = sysctl(name).expect(name);
    // The last of several numbers is the one that limits.
    let value = match before.rsplit_once(' ') {
        Some((others, _)) => format!("{others} {number}"),
        None => number.to_owned(),
    };
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    std::fs::write(path, &value).unwrap_or_else(|error| panic!("{remedy}: {value}: {error}"));
    tuning.apply(&socket.fd)
}
