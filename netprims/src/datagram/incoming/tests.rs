use super::*;
use crate::sys::datagrams::control::Writer;
use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;

fn found(messages: &[(c_int, c_int, &[u8])]) -> Found {
    let mut writer = Writer::<512>::new();
    for (level, kind, payload) in messages {
        writer.put(*level, *kind, payload);
    }
    Found::of(writer.bytes())
}

fn incoming<'a>(bytes: &'a [u8], control: &'a [u8]) -> Incoming<'a> {
    Incoming::of(Arrival {
        bytes,
        name: &[],
        control,
        data_cut: false,
        control_cut: false,
    })
}

const INFO: [u8; 12] = [3, 0, 0, 0, 10, 0, 0, 1, 239, 1, 2, 3];

#[test]
#[cfg(target_endian = "little")]
fn everything_at_once_is_told_apart() {
    let mut group = [0; 20];
    group[..2].copy_from_slice(&[0xff, 0x02]);
    group[16] = 7;
    let v4 = found(&[
        (libc::IPPROTO_IP, libc::IP_PKTINFO, &INFO),
        (libc::IPPROTO_IP, libc::IP_TOS, &[0xb9]),
        (libc::IPPROTO_UDP, libc::UDP_GRO, &1200_i32.to_ne_bytes()),
        (libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &9_u32.to_ne_bytes()),
        (99, 99, &[1, 2, 3]),
    ]);
    let want = Found {
        destination: Some("239.1.2.3".parse().unwrap()),
        answer_from: Some("10.0.0.1".parse().unwrap()),
        interface: Some(3),
        traffic_class: Some(TrafficClass::from_byte(0xb9)),
        segment: NonZeroU16::new(1200),
        dropped: Some(9),
        timestamps: Timestamps::default(),
    };
    assert_eq!(v4, want);
    let v6 = found(&[
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &group),
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &3_i32.to_ne_bytes()),
    ]);
    assert_eq!(v6.destination, Some("ff02::".parse().unwrap()));
    assert_eq!((v6.answer_from, v6.interface), (None, Some(7)));
    assert_eq!(v6.traffic_class, Some(TrafficClass::from_byte(3)));
}

/// As an IPv6 socket has it of a broadcast: both, of which IPv6's knows no address to answer from.
#[rstest]
#[cfg(target_endian = "little")]
fn where_both_families_tell_ipv4s_says_where_to_answer_from(#[values(true, false)] v6_first: bool) {
    let to: Ipv6Addr = "::ffff:239.1.2.3".parse().unwrap();
    let info_v6 = [&to.octets()[..], &[3, 0, 0, 0]].concat();
    let mut both = [
        (libc::IPPROTO_IP, libc::IP_PKTINFO, &INFO[..]),
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info_v6),
    ];
    if v6_first {
        both.reverse();
    }
    let want = Found {
        destination: Some(to.into()),
        answer_from: Some("::ffff:10.0.0.1".parse().unwrap()),
        interface: Some(3),
        ..Found::default()
    };
    assert_eq!(found(&both), want);
}

#[rstest]
#[case::info_cut(libc::IPPROTO_IP, libc::IP_PKTINFO, &INFO[..11])]
#[case::info_v6_cut(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &[0; 19])]
#[case::class_long(libc::IPPROTO_IP, libc::IP_TOS, &[0; 4])]
#[case::class_beyond_a_byte(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &[0, 1, 1, 0])]
#[case::segment_none(libc::IPPROTO_UDP, libc::UDP_GRO, &[0; 4])]
#[case::segment_negative(libc::IPPROTO_UDP, libc::UDP_GRO, &[0xff; 4])]
#[case::segment_short(libc::IPPROTO_UDP, libc::UDP_GRO, &[1; 2])]
#[case::drops_short(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &[1; 3])]
#[case::of_another_level(libc::IPPROTO_TCP, libc::IP_TOS, &[1])]
fn what_is_not_as_the_kernel_writes_it_is_not_told(
    #[case] level: c_int,
    #[case] kind: c_int,
    #[case] payload: &[u8],
) {
    assert_eq!(found(&[(level, kind, payload)]), Found::default());
}

#[rstest]
#[case::one(10, None, &[10])]
#[case::empty(0, None, &[0])]
#[case::empty_with_a_size(0, Some(4), &[0])]
#[case::even(8, Some(4), &[4, 4])]
#[case::short_last(9, Some(4), &[4, 4, 1])]
#[case::size_beyond_the_bytes(9, Some(4000), &[9])]
fn a_piece_is_cut_into_its_datagrams(
    #[case] len: usize,
    #[case] size: Option<i32>,
    #[case] want: &[usize],
) {
    let mut writer = Writer::<64>::new();
    if let Some(size) = size {
        writer.put(libc::IPPROTO_UDP, libc::UDP_GRO, &size.to_ne_bytes());
    }
    let bytes = vec![1; len];
    let datagrams = incoming(&bytes, writer.bytes()).datagrams();
    assert_eq!(datagrams.len(), want.len());
    assert_eq!(datagrams.map(<[u8]>::len).collect::<Vec<_>>(), want);
}

proptest! {
    #[test]
    fn any_control_bytes_are_read_without_harm(
        control in vec(prop_oneof![3 => 0..45u8, 1 => any::<u8>()], 0..300),
        bytes in vec(any::<u8>(), 0..300),
    ) {
        let incoming = incoming(&bytes, &control);
        let joined: Vec<u8> = incoming.datagrams().flatten().copied().collect();
        prop_assert_eq!(joined, bytes.clone());
    }

    #[test]
    fn any_known_message_with_any_payload_is_read_without_harm(
        kinds in vec((
            prop_oneof![Just(0), Just(1), Just(17), Just(41)],
            prop_oneof![Just(1), Just(8), Just(50), Just(67), Just(104), Just(40), Just(29), Just(35), Just(37), Just(58)],
            vec(any::<u8>(), 0..60),
        ), 0..6),
    ) {
        let kinds: Vec<_> = kinds.iter().map(|(level, kind, payload)| (*level, *kind, &payload[..])).collect();
        found(&kinds);
    }
}
