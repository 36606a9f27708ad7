use super::*;
use libc::tcp_info;
use proptest::prelude::*;
use rstest::rstest;
use std::mem::offset_of;
use std::time::Duration;

/// A connection, or what else its first byte says, with one more number in it.
fn with<const N: usize>(at: usize, number: [u8; N]) -> TcpInfo {
    let mut bytes = [0; KNOWN];
    bytes[at..at + N].copy_from_slice(&number);
    TcpInfo::from_bytes(&bytes).unwrap()
}

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

type Number = fn(&TcpInfo) -> u64;

#[rstest]
#[case(offset_of!(tcp_info, tcpi_snd_mss), |info: &TcpInfo| info.send_mss().into())]
#[case(offset_of!(tcp_info, tcpi_rcv_mss), |info: &TcpInfo| info.receive_mss().into())]
#[case(offset_of!(tcp_info, tcpi_unacked), |info: &TcpInfo| info.unacked().into())]
#[case(offset_of!(tcp_info, tcpi_sacked), |info: &TcpInfo| info.sacked().into())]
#[case(offset_of!(tcp_info, tcpi_lost), |info: &TcpInfo| info.lost().into())]
#[case(offset_of!(tcp_info, tcpi_retrans), |info: &TcpInfo| info.retransmitting().into())]
#[case(offset_of!(tcp_info, tcpi_pmtu), |info: &TcpInfo| info.path_mtu().into())]
#[case(offset_of!(tcp_info, tcpi_rcv_ssthresh), |info: &TcpInfo| info.receive_ssthresh().into())]
#[case(offset_of!(tcp_info, tcpi_snd_ssthresh), |info: &TcpInfo| info.send_ssthresh().unwrap().into())]
#[case(offset_of!(tcp_info, tcpi_snd_cwnd), |info: &TcpInfo| info.congestion_window().into())]
#[case(offset_of!(tcp_info, tcpi_advmss), |info: &TcpInfo| info.advertised_mss().into())]
#[case(offset_of!(tcp_info, tcpi_reordering), |info: &TcpInfo| info.reordering().into())]
#[case(offset_of!(tcp_info, tcpi_rcv_space), |info: &TcpInfo| info.receive_space().into())]
#[case(offset_of!(tcp_info, tcpi_total_retrans), |info: &TcpInfo| info.total_retransmits().into())]
#[case(offset_of!(tcp_info, tcpi_segs_out), |info: &TcpInfo| info.segments_out().into())]
#[case(offset_of!(tcp_info, tcpi_segs_in), |info: &TcpInfo| info.segments_in().into())]
#[case(offset_of!(tcp_info, tcpi_notsent_bytes), |info: &TcpInfo| info.unsent_bytes().into())]
#[case(offset_of!(tcp_info, tcpi_data_segs_in), |info: &TcpInfo| info.data_segments_in().into())]
#[case(offset_of!(tcp_info, tcpi_data_segs_out), |info: &TcpInfo| info.data_segments_out().into())]
#[case(offset_of!(tcp_info, tcpi_delivered), |info: &TcpInfo| info.delivered().unwrap().into())]
#[case(offset_of!(tcp_info, tcpi_delivered_ce), |info: &TcpInfo| info.delivered_marked().unwrap().into())]
#[case(offset_of!(tcp_info, tcpi_dsack_dups), |info: &TcpInfo| info.duplicates().unwrap().into())]
#[case(offset_of!(tcp_info, tcpi_reord_seen), |info: &TcpInfo| info.reordering_seen().unwrap().into())]
#[case(offset_of!(tcp_info, tcpi_rcv_ooopack), |info: &TcpInfo| info.out_of_order().unwrap().into())]
#[case(offset_of!(tcp_info, tcpi_snd_wnd), |info: &TcpInfo| info.send_window().unwrap().into())]
#[case(232, |info: &TcpInfo| info.receive_window().unwrap().into())]
#[case(236, |info: &TcpInfo| info.rehashes().unwrap().into())]
#[case(248, |info: &TcpInfo| info.received_marked().unwrap().into())]
#[case(252, |info: &TcpInfo| info.delivered_ecn_bytes().unwrap().ect1.into())]
#[case(256, |info: &TcpInfo| info.delivered_ecn_bytes().unwrap().ect0.into())]
#[case(260, |info: &TcpInfo| info.delivered_ecn_bytes().unwrap().marked.into())]
#[case(264, |info: &TcpInfo| info.received_ecn_bytes().unwrap().ect1.into())]
#[case(268, |info: &TcpInfo| info.received_ecn_bytes().unwrap().ect0.into())]
#[case(272, |info: &TcpInfo| info.received_ecn_bytes().unwrap().marked.into())]
#[case(276, |info: &TcpInfo| u32::from_ne_bytes(info.accurate_ecn().unwrap()).into())]
fn a_count_is_where_the_kernel_writes_it(#[case] at: usize, #[case] read: Number) {
    assert_eq!(read(&with(at, 0xdead_beef_u32.to_ne_bytes())), 0xdead_beef);
    assert_eq!(read(&with(0, [0])), 0);
}

#[rstest]
#[case(offset_of!(tcp_info, tcpi_pacing_rate), |info: &TcpInfo| info.pacing_rate().unwrap())]
#[case(offset_of!(tcp_info, tcpi_max_pacing_rate), |info: &TcpInfo| info.max_pacing_rate().unwrap())]
#[case(offset_of!(tcp_info, tcpi_bytes_acked), TcpInfo::bytes_acked)]
#[case(offset_of!(tcp_info, tcpi_bytes_received), TcpInfo::bytes_received)]
#[case(offset_of!(tcp_info, tcpi_delivery_rate), TcpInfo::delivery_rate)]
#[case(offset_of!(tcp_info, tcpi_bytes_sent), |info: &TcpInfo| info.bytes_sent().unwrap())]
#[case(offset_of!(tcp_info, tcpi_bytes_retrans), |info: &TcpInfo| info.bytes_retransmitted().unwrap())]
fn a_long_count_is_where_the_kernel_writes_it(#[case] at: usize, #[case] read: Number) {
    let number = 0xdead_beef_0000_0001_u64;
    assert_eq!(read(&with(at, number.to_ne_bytes())), number);
}

#[rstest]
#[case(offset_of!(tcp_info, tcpi_rto), micros(7), TcpInfo::rto)]
#[case(offset_of!(tcp_info, tcpi_ato), micros(7), TcpInfo::ack_timeout)]
#[case(offset_of!(tcp_info, tcpi_last_data_sent), millis(7), TcpInfo::last_data_sent)]
#[case(offset_of!(tcp_info, tcpi_last_data_recv), millis(7), TcpInfo::last_data_received)]
#[case(offset_of!(tcp_info, tcpi_last_ack_recv), millis(7), TcpInfo::last_ack_received)]
#[case(offset_of!(tcp_info, tcpi_rtt), micros(7), |info: &TcpInfo| info.rtt().unwrap())]
#[case(offset_of!(tcp_info, tcpi_rttvar), micros(7), TcpInfo::rtt_variation)]
#[case(offset_of!(tcp_info, tcpi_rcv_rtt), micros(7), |info: &TcpInfo| info.receive_rtt().unwrap())]
#[case(offset_of!(tcp_info, tcpi_min_rtt), micros(7), |info: &TcpInfo| info.min_rtt().unwrap())]
#[case(244, millis(7), |info: &TcpInfo| info.rto_totals().unwrap().time)]
fn a_time_is_where_the_kernel_writes_it(
    #[case] at: usize,
    #[case] want: Duration,
    #[case] read: fn(&TcpInfo) -> Duration,
) {
    assert_eq!(read(&with(at, 7_u32.to_ne_bytes())), want);
}

#[rstest]
#[case(offset_of!(tcp_info, tcpi_busy_time), TcpInfo::busy_time)]
#[case(offset_of!(tcp_info, tcpi_rwnd_limited), TcpInfo::receive_window_limited)]
#[case(offset_of!(tcp_info, tcpi_sndbuf_limited), TcpInfo::send_buffer_limited)]
fn a_long_time_is_where_the_kernel_writes_it(
    #[case] at: usize,
    #[case] read: fn(&TcpInfo) -> Duration,
) {
    assert_eq!(
        read(&with(at, (1_u64 << 40).to_ne_bytes())),
        micros(1 << 40)
    );
}

#[test]
fn the_first_bytes_are_states_and_small_counts() {
    let mut bytes = [0; LEAST];
    bytes[..8].copy_from_slice(&[1, 4, 2, 3, 5, 0b1100_0111, 0, 0]);
    bytes[6] = if cfg!(target_endian = "little") {
        0xa7
    } else {
        0x7a
    };
    bytes[7] = if cfg!(target_endian = "little") {
        0b101
    } else {
        0b1100_0000
    };
    let info = TcpInfo::from_bytes(&bytes).unwrap();
    assert_eq!(info.state(), TcpState::Established);
    assert_eq!(info.congestion_state(), CongestionState::Loss);
    assert_eq!(
        (info.retransmits(), info.probes(), info.backoff()),
        (2, 3, 5)
    );
    let options = info.options();
    assert!(options.timestamps() && options.selective_acks() && options.window_scaling());
    assert!(!options.ecn() && !options.ecn_seen() && !options.syn_data());
    assert!(options.microsecond_timestamps() && options.fastopen_accepted());
    let scale = info.window_scale().unwrap();
    assert_eq!((scale.send, scale.receive), (7, 10));
    assert!(info.is_app_limited());
    assert_eq!(info.fastopen_failure(), FastOpenFailure::NotAcknowledged);
}

#[rstest]
#[case(offset_of!(tcp_info, tcpi_rtt), 0, |info: &TcpInfo| info.rtt().is_none())]
#[case(offset_of!(tcp_info, tcpi_rcv_rtt), 0, |info: &TcpInfo| info.receive_rtt().is_none())]
#[case(offset_of!(tcp_info, tcpi_min_rtt), u32::MAX, |info: &TcpInfo| info.min_rtt().is_none())]
#[case(offset_of!(tcp_info, tcpi_min_rtt), 0, |info: &TcpInfo| info.min_rtt().is_none())]
#[case(offset_of!(tcp_info, tcpi_snd_ssthresh), 0x7fff_ffff, |info: &TcpInfo| info.send_ssthresh().is_none())]
#[case::windows_are_not_scaled(6, 0x7a, |info: &TcpInfo| info.window_scale().is_none())]
fn a_number_that_stands_for_none_is_none(
    #[case] at: usize,
    #[case] number: u32,
    #[case] is_none: fn(&TcpInfo) -> bool,
) {
    assert!(is_none(&with(at, number.to_ne_bytes())));
}

#[test]
fn the_highest_rate_is_none() {
    let highest = u64::MAX.to_ne_bytes();
    let at = offset_of!(tcp_info, tcpi_pacing_rate);
    assert_eq!(with(at, highest).pacing_rate(), None);
    let at = offset_of!(tcp_info, tcpi_max_pacing_rate);
    assert_eq!(with(at, highest).max_pacing_rate(), None);
}

#[test]
fn a_listener_tells_its_queue_in_the_place_of_two_counts() {
    let mut bytes = [0; LEAST];
    bytes[24..32].copy_from_slice(&[3_u32.to_ne_bytes(), 128_u32.to_ne_bytes()].concat());
    let connection = TcpInfo::from_bytes(&bytes).unwrap();
    assert_eq!((connection.unacked(), connection.sacked()), (3, 128));
    assert_eq!(connection.accept_queue(), None);

    bytes[0] = 10;
    let listener = TcpInfo::from_bytes(&bytes).unwrap();
    assert_eq!((listener.unacked(), listener.sacked()), (0, 0));
    assert_eq!(connection.send_ssthresh(), Some(0));
    assert_eq!(listener.send_ssthresh(), None);
    let queue = AcceptQueue {
        connections: 3,
        limit: 128,
    };
    assert_eq!(listener.accept_queue(), Some(queue));
}

#[rstest]
#[case::linux_4_10(192, 0)]
#[case::linux_4_18(200, 2)]
#[case::linux_4_19(224, 6)]
#[case::linux_5_4(232, 8)]
#[case::linux_6_2(240, 10)]
#[case::linux_6_7(248, 11)]
#[case::linux_6_18(280, 15)]
#[case::newer(300, 15)]
fn an_older_kernel_has_fewer_fields(#[case] given: usize, #[case] fields: usize) {
    let info = TcpInfo::from_bytes(&vec![1; given]).unwrap();
    let there = [
        info.delivered().is_some(),
        info.delivered_marked().is_some(),
        info.bytes_sent().is_some(),
        info.bytes_retransmitted().is_some(),
        info.duplicates().is_some(),
        info.reordering_seen().is_some(),
        info.out_of_order().is_some(),
        info.send_window().is_some(),
        info.receive_window().is_some(),
        info.rehashes().is_some(),
        info.rto_totals().is_some(),
        info.received_marked().is_some(),
        info.delivered_ecn_bytes().is_some(),
        info.received_ecn_bytes().is_some(),
        info.accurate_ecn().is_some(),
    ];
    let want: Vec<bool> = (0..there.len()).map(|field| field < fields).collect();
    assert_eq!(there[..], want);
    assert_eq!(info.given(), given);
    assert_eq!(info.beyond().len(), given.saturating_sub(280));
}

#[test]
fn what_libc_knows_ends_where_the_fields_do() {
    // Its last field or its end, with a C library that has them all.
    assert!(
        size_of::<tcp_info>() <= KNOWN,
        "libc knows fields that are not here"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused_by_their_number(bytes in proptest::collection::vec(any::<u8>(), 0..1200)) {
        let info = TcpInfo::from_bytes(&bytes);
        prop_assert_eq!(info.is_ok(), bytes.len() >= LEAST);
        if let Ok(info) = info {
            prop_assert_eq!(info.given(), bytes.len().min(ROOM));
            prop_assert!(format!("{info:?}").contains("accurate_ecn"), "every field is asked");
        }
    }

    #[test]
    fn numbers_of_states_are_told_apart(number: u8) {
        if let TcpState::Unknown(unknown) = TcpState::from(number) {
            prop_assert!(unknown == number && !(1..=11).contains(&number));
        }
        if let CongestionState::Unknown(unknown) = CongestionState::from(number) {
            prop_assert!(unknown == number && number > 4);
        }
    }
}
