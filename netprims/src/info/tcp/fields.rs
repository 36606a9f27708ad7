//! One method a field. The number is where it is in `struct tcp_info` of `include/uapi/linux/tcp.h`.

use std::fmt;
use std::time::Duration;

use super::{CongestionState, FastOpenFailure, TcpInfo, TcpOptions, TcpState, WindowScale};

/// Methods, and a `Debug` that shows them all.
macro_rules! fields {
    ($($(#[$meta:meta])* $name:ident($self:ident) -> $type:ty $body:block)*) => {
        impl TcpInfo {
            $($(#[$meta])* pub fn $name(&$self) -> $type $body)*
        }

        impl fmt::Debug for TcpInfo {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("TcpInfo")
                    .field("given", &self.given())
                    .field("accept_queue", &self.accept_queue())
                    $(.field(stringify!($name), &self.$name()))*
                    .field("beyond", &self.beyond())
                    .finish()
            }
        }
    };
}

/// `TCP_INFINITE_SSTHRESH` of `include/net/tcp.h`.
const INFINITE_SSTHRESH: u32 = 0x7fff_ffff;

fields! {
    /// How far the connection is.
    #[doc(alias = "tcpi_state")]
    state(self) -> TcpState { self.given.u8(0).into() }

    /// How the sender takes what it sees of the network.
    #[doc(alias = "tcpi_ca_state")]
    congestion_state(self) -> CongestionState { self.given.u8(1).into() }

    /// How many times in a row the retransmission timer has expired without an answer.
    #[doc(alias = "tcpi_retransmits")]
    retransmits(self) -> u8 { self.given.u8(2) }

    /// How many probes of a closed window, or of an idle connection (keepalive), are unanswered.
    #[doc(alias = "tcpi_probes")]
    probes(self) -> u8 { self.given.u8(3) }

    /// How many times the retransmission timeout has been doubled.
    #[doc(alias = "tcpi_backoff")]
    backoff(self) -> u8 { self.given.u8(4) }

    /// What both ends agreed on.
    #[doc(alias = "tcpi_options")]
    options(self) -> TcpOptions { TcpOptions::from_bits(self.given.u8(5)) }

    /// By how many bits windows are shifted; `None` if they are not.
    #[doc(alias = "tcpi_snd_wscale")]
    #[doc(alias = "tcpi_rcv_wscale")]
    window_scale(self) -> Option<WindowScale> {
        let scale = WindowScale::from_bits(self.given.u8(6));
        self.options().window_scaling().then_some(scale)
    }

    /// Whether [`delivery_rate`](Self::delivery_rate) is what the application had to send, not what the network can take.
    #[doc(alias = "tcpi_delivery_rate_app_limited")]
    is_app_limited(self) -> bool {
        let bit = if cfg!(target_endian = "little") { 1 } else { 0x80 };
        self.given.u8(7) & bit != 0
    }

    /// Why data sent with the first segment did not arrive with it.
    #[doc(alias = "tcpi_fastopen_client_fail")]
    fastopen_failure(self) -> FastOpenFailure {
        let shift = if cfg!(target_endian = "little") { 1 } else { 5 };
        FastOpenFailure::from_bits(self.given.u8(7) >> shift)
    }

    /// The retransmission timeout.
    #[doc(alias = "tcpi_rto")]
    rto(self) -> Duration { self.given.micros(8) }

    /// For how long acknowledgements are held back. Zero until data came.
    #[doc(alias = "tcpi_ato")]
    ack_timeout(self) -> Duration { self.given.micros(12) }

    /// The most data bytes in a segment to the peer, now.
    #[doc(alias = "tcpi_snd_mss")]
    send_mss(self) -> u32 { self.given.u32(16) }

    /// The data bytes of the peer's segments, as estimated.
    #[doc(alias = "tcpi_rcv_mss")]
    receive_mss(self) -> u32 { self.given.u32(20) }

    /// Segments sent and not acknowledged.
    #[doc(alias = "tcpi_unacked")]
    unacked(self) -> u32 { self.count_of_connection(24) }

    /// Of those, the segments known to have arrived out of order.
    #[doc(alias = "tcpi_sacked")]
    sacked(self) -> u32 { self.count_of_connection(28) }

    /// Of those, the segments taken for lost.
    #[doc(alias = "tcpi_lost")]
    lost(self) -> u32 { self.given.u32(32) }

    /// Of those, the segments sent again.
    #[doc(alias = "tcpi_retrans")]
    retransmitting(self) -> u32 { self.given.u32(36) }

    /// How long ago data was sent last, to some milliseconds. Meaningful once the connection is established.
    #[doc(alias = "tcpi_last_data_sent")]
    last_data_sent(self) -> Duration { self.given.millis(44) }

    /// How long ago data came last, to some milliseconds. Meaningful once the connection is established.
    #[doc(alias = "tcpi_last_data_recv")]
    last_data_received(self) -> Duration { self.given.millis(52) }

    /// How long ago an acknowledgement came last, to some milliseconds. Meaningful once the connection is established.
    #[doc(alias = "tcpi_last_ack_recv")]
    last_ack_received(self) -> Duration { self.given.millis(56) }

    /// The path MTU in bytes, headers included.
    #[doc(alias = "tcpi_pmtu")]
    path_mtu(self) -> u32 { self.given.u32(60) }

    /// Up to how many bytes the announced window may grow, now.
    #[doc(alias = "tcpi_rcv_ssthresh")]
    receive_ssthresh(self) -> u32 { self.given.u32(64) }

    /// The round-trip time, smoothed; `None` before the first sample.
    #[doc(alias = "tcpi_rtt")]
    rtt(self) -> Option<Duration> { self.given.micros_unless(68, 0) }

    /// How much round-trip times vary, smoothed. The kernel's initial guess before the first sample.
    #[doc(alias = "tcpi_rttvar")]
    rtt_variation(self) -> Duration { self.given.micros(72) }

    /// The congestion window in segments up to which slow start goes; `None` while there is no limit, and of a listener,
    /// which sends nothing.
    #[doc(alias = "tcpi_snd_ssthresh")]
    send_ssthresh(self) -> Option<u32> {
        let threshold = self.given.u32_unless(76, INFINITE_SSTHRESH);
        threshold.filter(|_| self.state() != TcpState::Listen)
    }

    /// The congestion window, in segments of [`send_mss`](Self::send_mss).
    #[doc(alias = "tcpi_snd_cwnd")]
    congestion_window(self) -> u32 { self.given.u32(80) }

    /// The segment size this end has announced, in bytes.
    #[doc(alias = "tcpi_advmss")]
    advertised_mss(self) -> u32 { self.given.u32(84) }

    /// By how many segments the network is taken to reorder.
    #[doc(alias = "tcpi_reordering")]
    reordering(self) -> u32 { self.given.u32(88) }

    /// The round-trip time as the receiving side estimates it; `None` before it has.
    #[doc(alias = "tcpi_rcv_rtt")]
    receive_rtt(self) -> Option<Duration> { self.given.micros_unless(92, 0) }

    /// How many bytes the application reads in a round trip, from which the kernel sizes the receive buffer.
    #[doc(alias = "tcpi_rcv_space")]
    receive_space(self) -> u32 { self.given.u32(96) }

    /// Segments sent again, in all.
    #[doc(alias = "tcpi_total_retrans")]
    total_retransmits(self) -> u32 { self.given.u32(100) }

    /// The rate the sender is paced to, in bytes a second; `None` if it is not. Linux 3.15.
    #[doc(alias = "tcpi_pacing_rate")]
    pacing_rate(self) -> Option<u64> { self.given.rate(104) }

    /// The rate above which it is never paced, in bytes a second
    /// ([`max_pacing_rate`](crate::tuning::Tuning::max_pacing_rate)); `None` if there is none. Linux 3.15.
    #[doc(alias = "tcpi_max_pacing_rate")]
    max_pacing_rate(self) -> Option<u64> { self.given.rate(112) }

    /// Bytes the peer has acknowledged, as their sequence numbers count: one more on the side that connected, for its SYN,
    /// and one more once the FIN of this side is acknowledged. Linux 4.1.
    #[doc(alias = "tcpi_bytes_acked")]
    bytes_acked(self) -> u64 { self.given.u64(120) }

    /// Bytes that came, each counted once, and one more once the peer's FIN came. Linux 4.1.
    #[doc(alias = "tcpi_bytes_received")]
    bytes_received(self) -> u64 { self.given.u64(128) }

    /// Segments sent, with and without data. Linux 4.2.
    #[doc(alias = "tcpi_segs_out")]
    segments_out(self) -> u32 { self.given.u32(136) }

    /// Segments that came, with and without data. Linux 4.2.
    #[doc(alias = "tcpi_segs_in")]
    segments_in(self) -> u32 { self.given.u32(140) }

    /// Bytes written and not sent yet. Linux 4.6.
    #[doc(alias = "tcpi_notsent_bytes")]
    unsent_bytes(self) -> u32 { self.given.u32(144) }

    /// The shortest round-trip time of late, as `net.ipv4.tcp_min_rtt_wlen` has it in seconds; `None` before the first sample. Linux 4.6.
    #[doc(alias = "tcpi_min_rtt")]
    min_rtt(self) -> Option<Duration> {
        let rtt = self.given.micros_unless(148, u32::MAX);
        // A sample is never 0: a listener, which has none, is.
        rtt.filter(|rtt| !rtt.is_zero())
    }

    /// Segments with data that came. Linux 4.6.
    #[doc(alias = "tcpi_data_segs_in")]
    data_segments_in(self) -> u32 { self.given.u32(152) }

    /// Segments with data sent, those sent again included. Linux 4.6.
    #[doc(alias = "tcpi_data_segs_out")]
    data_segments_out(self) -> u32 { self.given.u32(156) }

    /// The rate at which data arrived lately, in bytes a second; 0 before the first sample. How to take it:
    /// [`is_app_limited`](Self::is_app_limited). Linux 4.9.
    #[doc(alias = "tcpi_delivery_rate")]
    delivery_rate(self) -> u64 { self.given.u64(160) }

    /// For how long there was something to send or to be acknowledged. Linux 4.10.
    #[doc(alias = "tcpi_busy_time")]
    busy_time(self) -> Duration { self.given.long_micros(168) }

    /// For how long of that the peer's receive window held the sender back. Linux 4.10.
    #[doc(alias = "tcpi_rwnd_limited")]
    receive_window_limited(self) -> Duration { self.given.long_micros(176) }

    /// For how long of that this end's send buffer held the sender back. Linux 4.10.
    #[doc(alias = "tcpi_sndbuf_limited")]
    send_buffer_limited(self) -> Duration { self.given.long_micros(184) }

    /// Segments known to have arrived: those with data, the SYN of the side that connected or the SYN-ACK of the other, and
    /// the FIN. Linux 4.18.
    #[doc(alias = "tcpi_delivered")]
    delivered(self) -> Option<u32> { self.given.newer_u32(192) }

    /// Of those, the segments the network marked for congestion. Linux 4.18.
    #[doc(alias = "tcpi_delivered_ce")]
    delivered_marked(self) -> Option<u32> { self.given.newer_u32(196) }

    /// Data bytes sent, those sent again included. Linux 4.19.
    #[doc(alias = "tcpi_bytes_sent")]
    bytes_sent(self) -> Option<u64> { self.given.newer_u64(200) }

    /// Data bytes sent again. Linux 4.19.
    #[doc(alias = "tcpi_bytes_retrans")]
    bytes_retransmitted(self) -> Option<u64> { self.given.newer_u64(208) }

    /// How many times the peer has told of data it had already: sent again without need. Linux 4.19.
    #[doc(alias = "tcpi_dsack_dups")]
    duplicates(self) -> Option<u32> { self.given.newer_u32(216) }

    /// How many times the network was seen to reorder. Linux 4.19.
    #[doc(alias = "tcpi_reord_seen")]
    reordering_seen(self) -> Option<u32> { self.given.newer_u32(220) }

    /// Segments that came out of order. Linux 5.4.
    #[doc(alias = "tcpi_rcv_ooopack")]
    out_of_order(self) -> Option<u32> { self.given.newer_u32(224) }

    /// The window the peer has announced, in bytes. Linux 5.4.
    #[doc(alias = "tcpi_snd_wnd")]
    send_window(self) -> Option<u32> { self.given.newer_u32(228) }

    /// The window this end has announced, in bytes. Linux 6.2.
    #[doc(alias = "tcpi_rcv_wnd")]
    receive_window(self) -> Option<u32> { self.given.newer_u32(232) }

    /// How many times another path was tried by another flow label: after timeouts, or by protective load balancing.
    /// Linux 6.2.
    #[doc(alias = "tcpi_rehash")]
    rehashes(self) -> Option<u32> { self.given.newer_u32(236) }

    /// What retransmission timeouts have cost. Linux 6.7.
    #[doc(alias = "tcpi_total_rto")]
    rto_totals(self) -> Option<RtoTotals> {
        Some(RtoTotals {
            timeouts: self.given.newer_u16(240)?,
            recoveries: self.given.newer_u16(242)?,
            time: Duration::from_millis(self.given.newer_u32(244)?.into()),
        })
    }

    /// Segments that came marked for congestion. Linux 6.18.
    #[doc(alias = "tcpi_received_ce")]
    received_marked(self) -> Option<u32> { self.given.newer_u32(248) }

    /// Data bytes delivered, as the peer counts them by mark (Accurate ECN). Linux 6.18.
    #[doc(alias = "tcpi_delivered_e1_bytes")]
    #[doc(alias = "AccECN")]
    delivered_ecn_bytes(self) -> Option<EcnBytes> { self.ecn_bytes(252) }

    /// Data bytes that came, by mark (Accurate ECN). Linux 6.18.
    #[doc(alias = "tcpi_received_e1_bytes")]
    #[doc(alias = "AccECN")]
    received_ecn_bytes(self) -> Option<EcnBytes> { self.ecn_bytes(264) }

    /// How Accurate ECN was agreed on and what went wrong with it, as the kernel wrote it. Linux 6.18.
    ///
    /// Its layout changed in Linux 7.0 without a change of length: two numbers of 16 bits, `tcpi_accecn_fail_mode` and
    /// `tcpi_accecn_opt_seen`, became bit fields of 2, 2, 4 and 24: `tcpi_ecn_mode`, `tcpi_accecn_opt_seen`,
    /// `tcpi_accecn_fail_mode`, `tcpi_options2`. Nothing in the struct tells which it is.
    #[doc(alias = "tcpi_ecn_mode")]
    #[doc(alias = "tcpi_accecn_fail_mode")]
    #[doc(alias = "tcpi_accecn_opt_seen")]
    #[doc(alias = "tcpi_options2")]
    accurate_ecn(self) -> Option<[u8; 4]> { self.given.newer_u32(276).map(u32::to_ne_bytes) }
}

impl TcpInfo {
    fn ecn_bytes(&self, at: usize) -> Option<EcnBytes> {
        Some(EcnBytes {
            ect1: self.given.newer_u32(at)?,
            ect0: self.given.newer_u32(at + 4)?,
            marked: self.given.newer_u32(at + 8)?,
        })
    }
}

/// What retransmission timeouts have cost a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtoTotals {
    /// How many there were, those of connecting included.
    #[doc(alias = "tcpi_total_rto")]
    pub timeouts: u16,
    /// How many times the connection recovered from one or more, one that is under way included.
    #[doc(alias = "tcpi_total_rto_recoveries")]
    pub recoveries: u16,
    /// For how long it recovered, to the millisecond.
    #[doc(alias = "tcpi_total_rto_time")]
    pub time: Duration,
}

/// Data bytes by the mark of the packets they came in.
///
/// Source: RFC 9768.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcnBytes {
    /// Not marked for congestion, sent as ECT(1).
    pub ect1: u32,
    /// Not marked for congestion, sent as ECT(0).
    pub ect0: u32,
    /// Marked for congestion (CE).
    pub marked: u32,
}
