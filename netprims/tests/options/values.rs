//! Values that have names are the kernel's of that name, each by itself.

use std::os::fd::OwnedFd;

use netprims::tuning::{Clock, PathMtu, Timestamping, Tuning, TxTime};
use rstest::rstest;
use socket2::{Domain, Socket, Type};

use super::raw::Raw;

/// Of the socket's own family, on IPv6 for IPv4 peers too.
#[rstest]
#[case(PathMtu::Dont, libc::IP_PMTUDISC_DONT, libc::IPV6_PMTUDISC_DONT)]
#[case(PathMtu::Want, libc::IP_PMTUDISC_WANT, libc::IPV6_PMTUDISC_WANT)]
#[case(PathMtu::Do, libc::IP_PMTUDISC_DO, libc::IPV6_PMTUDISC_DO)]
#[case(PathMtu::Probe, libc::IP_PMTUDISC_PROBE, libc::IPV6_PMTUDISC_PROBE)]
#[case(
    PathMtu::Interface,
    libc::IP_PMTUDISC_INTERFACE,
    libc::IPV6_PMTUDISC_INTERFACE
)]
#[case(PathMtu::Omit, libc::IP_PMTUDISC_OMIT, libc::IPV6_PMTUDISC_OMIT)]
fn a_mode_of_the_path_mtu(#[case] mode: PathMtu, #[case] v4: i32, #[case] v6: i32) {
    let tuning = Tuning::new().path_mtu(mode);
    let of_v4 = (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER);
    let of_v6 = (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER);
    let socket = set(Domain::IPV4, tuning);
    Raw::Numbers(&[v4.into()]).check(&socket, of_v4);
    let socket = set(Domain::IPV6, tuning);
    Raw::Numbers(&[v6.into()]).check(&socket, of_v6);
    Raw::Numbers(&[v4.into()]).check(&socket, of_v4);
}

#[rstest]
#[case(Timestamping::TX_HARDWARE, libc::SOF_TIMESTAMPING_TX_HARDWARE)]
#[case(Timestamping::TX_SOFTWARE, libc::SOF_TIMESTAMPING_TX_SOFTWARE)]
#[case(Timestamping::RX_HARDWARE, libc::SOF_TIMESTAMPING_RX_HARDWARE)]
#[case(Timestamping::RX_SOFTWARE, libc::SOF_TIMESTAMPING_RX_SOFTWARE)]
#[case(Timestamping::SOFTWARE, libc::SOF_TIMESTAMPING_SOFTWARE)]
#[case(Timestamping::RAW_HARDWARE, libc::SOF_TIMESTAMPING_RAW_HARDWARE)]
#[case(Timestamping::OPT_ID, libc::SOF_TIMESTAMPING_OPT_ID)]
#[case(Timestamping::TX_SCHED, libc::SOF_TIMESTAMPING_TX_SCHED)]
#[case(Timestamping::TX_ACK, libc::SOF_TIMESTAMPING_TX_ACK)]
#[case(Timestamping::OPT_CMSG, libc::SOF_TIMESTAMPING_OPT_CMSG)]
#[case(Timestamping::OPT_TSONLY, libc::SOF_TIMESTAMPING_OPT_TSONLY)]
#[case(Timestamping::OPT_PKTINFO, libc::SOF_TIMESTAMPING_OPT_PKTINFO)]
#[case(Timestamping::OPT_TX_SWHW, libc::SOF_TIMESTAMPING_OPT_TX_SWHW)]
fn a_kind_of_stamp(#[case] stamp: Timestamping, #[case] flag: u32) {
    let socket = set(Domain::IPV4, Tuning::new().timestamping(stamp));
    Raw::Numbers(&[flag.into()]).check(&socket, (libc::SOL_SOCKET, libc::SO_TIMESTAMPING));
}

#[rstest]
#[case(false, false, 0)]
#[case(true, false, libc::SOF_TXTIME_DEADLINE_MODE)]
#[case(false, true, libc::SOF_TXTIME_REPORT_ERRORS)]
fn a_meaning_of_times(#[case] deadline: bool, #[case] errors: bool, #[case] flags: u32) {
    let time = TxTime::new(Clock::Monotonic)
        .deadline(deadline)
        .report_errors(errors);
    let socket = set(Domain::IPV4, Tuning::new().txtime(time));
    let raw = [libc::CLOCK_MONOTONIC.into(), flags.into()];
    Raw::Numbers(&raw).check(&socket, (libc::SOL_SOCKET, libc::SO_TXTIME));
}

fn set(domain: Domain, tuning: Tuning) -> OwnedFd {
    let socket = Socket::new(domain, Type::DGRAM, None).unwrap().into();
    let report = tuning.apply(&socket).unwrap();
    assert!(report.differences().next().is_none(), "{report}");
    socket
}
