use super::*;
use rstest::rstest;

const SEGMENTED: Cut = Cut::At(1000);

fn facts(len: usize, cut: Cut) -> Facts {
    Facts {
        len,
        cut,
        ..Facts::default()
    }
}

const PLAIN: Circumstances = Circumstances {
    peer: Some(Family::V4),
    segment: 0,
    clock: 0,
    no_checksums: false,
    no_checksums_v6: false,
};

const OWN_SEGMENTS: Circumstances = Circumstances {
    segment: 1000,
    ..PLAIN
};

#[rstest]
#[case::too_long(libc::EMSGSIZE, 65_508, Cut::AsTheSocket, Fault::TooLong)]
#[case::over_the_mtu(libc::EMSGSIZE, 65_507, Cut::No, Fault::OverMtu)]
#[case::segment(libc::EMSGSIZE, 5000, SEGMENTED, Fault::Segment)]
#[case::segment_of_an_older_kernel(libc::EINVAL, 5000, SEGMENTED, Fault::Segment)]
#[case::no_offload_nobody_asked_for(libc::EIO, 5000, Cut::AsTheSocket, Fault::Other)]
#[case::something_else_with_segments(libc::EIO, 5000, SEGMENTED, Fault::Other)]
#[case::refused(libc::ECONNREFUSED, 1, Cut::No, Fault::PeerRefused)]
#[case::nowhere(libc::EDESTADDRREQ, 1, Cut::No, Fault::NoDestination)]
#[case::nowhere_over_ipv6(libc::ENOTCONN, 1, Cut::No, Fault::NoDestination)]
#[case::family(libc::EAFNOSUPPORT, 1, Cut::No, Fault::Family)]
#[case::invalid(libc::EINVAL, 1, Cut::No, Fault::Other)]
#[case::unreachable(libc::ENETUNREACH, 1, Cut::No, Fault::Other)]
#[case::unknown(4242, 1, Cut::No, Fault::Other)]
fn the_errno_means_what_the_message_makes_of_it(
    #[case] errno: i32,
    #[case] len: usize,
    #[case] cut: Cut,
    #[case] want: Fault,
) {
    assert_eq!(Fault::of(Some(errno), facts(len, cut), PLAIN), want);
}

#[rstest]
#[case::too_long(libc::EMSGSIZE, 65_508, Cut::AsTheSocket, Fault::TooLong)]
#[case::segment(libc::EMSGSIZE, 5000, Cut::AsTheSocket, Fault::Segment)]
#[case::segment_of_an_older_kernel(libc::EINVAL, 64_000, Cut::AsTheSocket, Fault::Segment)]
#[case::too_many(libc::EINVAL, 64_001, Cut::AsTheSocket, Fault::Segments)]
#[case::the_message_says_its_own(libc::EINVAL, 64_001, Cut::At(1000), Fault::Segment)]
#[case::the_message_says_none(libc::EMSGSIZE, 5000, Cut::No, Fault::OverMtu)]
#[case::no_offload(libc::EIO, 5000, Cut::AsTheSocket, Fault::NoOffload)]
fn the_sockets_segments_count_where_the_message_says_nothing(
    #[case] errno: i32,
    #[case] len: usize,
    #[case] cut: Cut,
    #[case] want: Fault,
) {
    assert_eq!(Fault::of(Some(errno), facts(len, cut), OWN_SEGMENTS), want);
}

#[rstest]
#[case::v4(Some(Family::V4), None, 65_507)]
#[case::v6(Some(Family::V6), None, 65_527)]
#[case::to_v6_from_a_socket_connected_to_v4(Some(Family::V4), Some(Family::V6), 65_527)]
#[case::not_known(None, None, 65_527)]
fn the_family_decides_what_is_too_long(
    #[case] peer: Option<Family>,
    #[case] family: Option<Family>,
    #[case] longest: usize,
) {
    let socket = Circumstances { peer, ..PLAIN };
    for (len, want) in [(longest, Fault::OverMtu), (longest + 1, Fault::TooLong)] {
        let facts = Facts {
            family,
            ..facts(len, Cut::AsTheSocket)
        };
        assert_eq!(Fault::of(Some(libc::EMSGSIZE), facts, socket), want);
    }
}

#[rstest]
#[case::port_zero(Facts { to_port_zero: true, has_departure: true, ..facts(5000, SEGMENTED) }, PLAIN, Fault::Other)]
#[case::source(Facts { has_source: true, ..facts(5000, SEGMENTED) }, PLAIN, Fault::Other)]
#[case::no_clock(Facts { has_departure: true, ..facts(1, Cut::No) }, PLAIN, Fault::NoTxTime)]
#[case::a_clock(
    Facts { has_departure: true, ..facts(1, Cut::No) },
    Circumstances { clock: 1, ..PLAIN },
    Fault::Other
)]
#[case::no_checksums(facts(5000, SEGMENTED), Circumstances { no_checksums: true, ..PLAIN }, Fault::NoChecksums)]
#[case::no_checksums_of_the_other_family(
    Facts { family: Some(Family::V6), ..facts(5000, SEGMENTED) },
    Circumstances { no_checksums: true, ..PLAIN },
    Fault::Segment
)]
#[case::no_checksums_over_ipv6(
    Facts { family: Some(Family::V6), ..facts(5000, SEGMENTED) },
    Circumstances { no_checksums_v6: true, ..PLAIN },
    Fault::NoChecksums
)]
fn einval_is_what_message_and_socket_leave_of_it(
    #[case] facts: Facts,
    #[case] socket: Circumstances,
    #[case] want: Fault,
) {
    assert_eq!(Fault::of(Some(libc::EINVAL), facts, socket), want);
    assert_eq!(Fault::of(None, facts, socket), Fault::Other);
}
