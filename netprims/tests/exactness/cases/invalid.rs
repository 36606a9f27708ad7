//! Values no kernel takes: an error that says so before anything is set. Where the kernel has the rule, it is asked too.

use rstest::{Context, rstest};
use std::time::Duration;

use super::{ASK, ask, name};
use crate::case::{Case, Exact, Who};
use crate::open::*;
use crate::want::*;

use crate::sys::raw_option;

const TCP: i32 = libc::IPPROTO_TCP;

#[rstest]
#[case::no_buffer(Exact(Case::of(tcp, ask!(ASK.receive_buffer(0))), |_| {
    failed("SO_RCVBUF = 0 bytes: a buffer needs at least one byte")
}))]
#[case::buffer_that_no_int_holds(Exact(Case::of(tcp, ask!(ASK.send_buffer(1 << 30))), |_| {
    failed("SO_SNDBUF = 1073741824 bytes: the kernel keeps at most 1073741823 bytes")
}))]
#[case::segment_below_the_least(Exact(Case::of(tcp, ask!(ASK.max_segment(87))), |_| {
    refused(TCP, libc::TCP_MAXSEG, 87, 88);
    failed("TCP_MAXSEG = 87 bytes: the kernel takes segments of 88 to 32767 bytes")
}))]
#[case::segment_over_the_most(Exact(Case::of(tcp, ask!(ASK.max_segment(32_768))), |_| {
    refused(TCP, libc::TCP_MAXSEG, 32_768, 32_767);
    failed("TCP_MAXSEG = 32768 bytes: the kernel takes segments of 88 to 32767 bytes")
}))]
#[case::no_hops(Exact(Case::of(tcp, ask!(ASK.hop_limit(0))), |_| {
    refused(libc::IPPROTO_IP, libc::IP_TTL, 0, 1);
    failed("IP_TTL = 0: a packet has 1 to 255 hops")
}))]
#[case::too_many_hops(Exact(Case::of(tcp, ask!(ASK.hop_limit(256))), |_| {
    refused(libc::IPPROTO_IP, libc::IP_TTL, 256, 255);
    failed("IP_TTL = 256: a packet has 1 to 255 hops")
}))]
#[case::idle_over_the_most(Exact(Case::of(tcp, ask!(ASK.keepalive_idle(Duration::from_secs(32_768)))), |_| {
    refused(TCP, libc::TCP_KEEPIDLE, 32_768, 32_767);
    failed("TCP_KEEPIDLE = 32768000000 µs: the kernel takes 1 to 32767 seconds")
}))]
#[case::no_probes(Exact(Case::of(tcp, ask!(ASK.keepalive_count(0))), |_| {
    refused(TCP, libc::TCP_KEEPCNT, 0, 1);
    failed("TCP_KEEPCNT = 0: the kernel takes 1 to 127 probes")
}))]
#[case::too_many_probes(Exact(Case::of(tcp, ask!(ASK.keepalive_count(128))), |_| {
    refused(TCP, libc::TCP_KEEPCNT, 128, 127);
    failed("TCP_KEEPCNT = 128: the kernel takes 1 to 127 probes")
}))]
#[case::too_many_retransmissions(Exact(Case::of(tcp, ask!(ASK.syn_count(128))), |_| {
    refused(TCP, libc::TCP_SYNCNT, 128, 127);
    failed("TCP_SYNCNT = 128: the kernel takes 1 to 127 retransmissions")
}))]
#[case::timeout_that_no_int_holds(Exact(
    Case::of(tcp, ask!(ASK.user_timeout(Duration::from_millis(1 << 31)))),
    |_| {
        refused(TCP, libc::TCP_USER_TIMEOUT, i32::MIN, i32::MAX);
        failed("TCP_USER_TIMEOUT = 2147483648000 µs: the kernel takes at most 2147483647 milliseconds")
    }))]
#[case::timeout_between_two_milliseconds(Exact(
    Case::of(tcp, ask!(ASK.user_timeout(Duration::from_micros(1500)))),
    |_| failed("TCP_USER_TIMEOUT = 1500 µs: the kernel counts in whole milliseconds")))]
#[case::cpu_that_no_int_holds(Exact(Case::of(tcp, ask!(ASK.incoming_cpu(1 << 31))), |_| {
    failed("SO_INCOMING_CPU = 2147483648: a CPU has a number up to 2147483647")
}))]
#[case::segments_over_the_most(Exact(Case::of(udp, ask!(ASK.udp_segment(65_536))), |_| {
    failed("UDP_SEGMENT = 65536 bytes: the kernel takes at most 65535 bytes")
}))]
#[case::budget_over_the_most(Exact(Case::of(udp, ask!(ASK.busy_poll_budget(65_536))), |_| {
    failed("SO_BUSY_POLL_BUDGET = 65536: the kernel takes at most 65535 packets")
}))]
#[case::no_low_water(Exact(Case::of(tcp, ask!(ASK.receive_low_water(0))), |_| {
    failed("SO_RCVLOWAT = 0 bytes: the kernel takes 1 to 2147483647 bytes")
}))]
#[case::offset_that_no_int_holds(Exact(Case::of(unix, ask!(ASK.peek_offset(1 << 31))), |_| {
    failed("SO_PEEK_OFF = 2147483648 bytes: the kernel takes at most 2147483647 bytes")
}))]
#[case::linger_between_two_seconds(Exact(Case::of(tcp, ask!(ASK.linger(Duration::from_millis(1)))), |_| {
    failed("SO_LINGER = 1000 µs: the kernel counts in whole seconds")
}))]
#[case::busy_poll_between_two_microseconds(Exact(
    Case::of(tcp, ask!(ASK.busy_poll(Duration::from_nanos(1500)))),
    |_| {
                failed("SO_BUSY_POLL = 1.5µs: the kernel counts in whole microseconds")
    }))]
#[case::pace_of_nothing(Exact(Case::of(tcp, ask!(ASK.max_pacing_rate(0))), |_| {
    failed("SO_MAX_PACING_RATE = 0 bytes/s: at no byte a second nothing is ever sent")
}))]
#[case::no_socket(Exact(Case::of(file, ask!(ASK.nodelay(true))), |_| {
    failed("getsockopt SO_ACCEPTCONN descriptor N: Socket operation on non-socket (os error 88)")
}))]
fn the_report_is_exact(
    #[context] context: Context,
    #[case] exact: Exact,
    #[values(Who::Root, Who::Nobody)] who: Who,
) {
    exact.check(name(&context), who);
}

/// The kernel refuses the one value and takes the other.
fn refused(level: i32, option: i32, bad: i32, good: i32) {
    let socket = tcp().fd;
    let error = raw_option::set(&socket, level, option, bad).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{bad}");
    raw_option::set(&socket, level, option, good).unwrap();
}
