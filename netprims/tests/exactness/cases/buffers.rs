//! The kernel doubles a buffer, cuts it at a sysctl and keeps a minimum, and autotuning ends when it is set.

use rstest::{Context, rstest};

use super::{ASK, ask, name};
use crate::case::{Case, Exact, Who, World};
use crate::open::*;
use crate::want::*;

/// `INT_MAX / 2`, the most that can be asked for.
const MOST: u32 = 1_073_741_823;

const RMEM_MAX: &str = "net.core.rmem_max";
const WMEM_MAX: &str = "net.core.wmem_max";

/// Small enough for every kernel's `rmem_max`.
const TCP: &[(&str, &str)] = &[
    ("net.ipv4.tcp_rmem", "4096 100000 400000"),
    ("net.ipv4.tcp_wmem", "4096 50000 300000"),
];
const LESS: &str = "SO_RCVBUF: autotuning is off now, and 20000 bytes is less than the 400000 bytes it could have reached \
    (net.ipv4.tcp_rmem); without the option the buffer would grow as needed";
const SCALE: &str = "SO_RCVBUF: the window scale was agreed in the handshake; set the buffer before connect or listen for a \
    window above 64 KiB";
const NEVER: &str = "TCP keeps at most half the receive buffer or of net.ipv4.tcp_rmem, which is 1073741823 bytes at the most";
const LEAST: &str = "it is the least the kernel keeps";

#[rstest]
#[case::received_over_the_sysctl(Exact(Case::of(udp, ask!(ASK.receive_buffer(MOST))), |w| {
    cut("SO_RCVBUF", u64::from(MOST), RMEM_MAX, &w.sysctl(RMEM_MAX), w.number(RMEM_MAX))
}))]
#[case::received_over_the_sysctl_by_one(Exact(
    Case::of(udp, |socket, w| ASK.receive_buffer(small(w, RMEM_MAX) + 1).apply(&socket.fd)),
    |w| cut("SO_RCVBUF", w.number(RMEM_MAX) + 1, RMEM_MAX, &w.sysctl(RMEM_MAX), w.number(RMEM_MAX))))]
#[case::received_up_to_the_sysctl(Exact(
    Case::of(udp, |socket, w| ASK.receive_buffer(small(w, RMEM_MAX)).apply(&socket.fd)),
    |w| doubled("SO_RCVBUF", w.number(RMEM_MAX))))]
#[case::received_over_a_sysctl_that_may_not_show(Exact(
    Case::of(udp, ask!(ASK.receive_buffer(MOST))).fresh(&[]),
    |w| out_of_sight(w, "SO_RCVBUF", RMEM_MAX, |socket| {
        socket.set_recv_buffer_size(usize::MAX >> 34).unwrap();
        socket.recv_buffer_size().unwrap()
    })))]
#[case::sent_over_the_sysctl(Exact(Case::of(udp, ask!(ASK.send_buffer(MOST))), |w| {
    cut("SO_SNDBUF", u64::from(MOST), WMEM_MAX, &w.sysctl(WMEM_MAX), w.number(WMEM_MAX))
}))]
#[case::sent_over_a_sysctl_that_may_not_show(Exact(
    Case::of(udp, ask!(ASK.send_buffer(MOST))).fresh(&[]),
    |w| out_of_sight(w, "SO_SNDBUF", WMEM_MAX, |socket| {
        socket.set_send_buffer_size(usize::MAX >> 34).unwrap();
        socket.send_buffer_size().unwrap()
    })))]
#[case::received_on_a_socket_of_elsewhere(Exact(Case::of(udp_elsewhere, ask!(ASK.receive_buffer(MOST))), |w| {
    let limit = w.number(RMEM_MAX);
    let shown = format!("{limit}, by what is in effect (the socket is of another network namespace)");
    cut("SO_RCVBUF", u64::from(MOST), RMEM_MAX, &shown, limit)
}))]
#[case::received_below_the_least(Exact(Case::of(udp, ask!(ASK.receive_buffer(1))), |_| {
    rule("SO_RCVBUF", ["1 bytes", "2304 bytes"], LEAST)
}))]
#[case::sent_below_the_least(Exact(Case::of(udp, ask!(ASK.send_buffer(1))), |_| {
    rule("SO_SNDBUF", ["1 bytes", "4608 bytes"], LEAST)
}))]
#[case::received_by_force(Exact(
    Case::of(tcp, ask!(ASK.receive_buffer_force(50_000_000))).fresh(TCP),
    |w| match w.system {
        true => doubled("SO_RCVBUFFORCE", 50_000_000),
        false => needs_the_system("SO_RCVBUFFORCE", ["50000000 bytes", "100000 bytes"]),
    }))]
#[case::sent_by_force(Exact(
    Case::of(tcp, ask!(ASK.send_buffer_force(50_000_000))).fresh(TCP),
    |w| match w.system {
        true => doubled("SO_SNDBUFFORCE", 50_000_000),
        false => needs_the_system("SO_SNDBUFFORCE", ["50000000 bytes", "50000 bytes"]),
    }))]
#[case::forced_below_the_least(Exact(Case::of(tcp, ask!(ASK.send_buffer_force(1))).fresh(TCP), |w| {
    match w.system {
        true => rule("SO_SNDBUFFORCE", ["1 bytes", "4608 bytes"], LEAST),
        false => needs_the_system("SO_SNDBUFFORCE", ["1 bytes", "50000 bytes"]),
    }
}))]
#[case::received_below_what_autotuning_reaches(Exact(
    Case::of(tcp, ask!(ASK.receive_buffer(10_000))).fresh(TCP),
    |_| doubled("SO_RCVBUF", 10_000).warning(LESS)))]
#[case::received_as_much_as_autotuning_reaches(Exact(
    Case::of(tcp, ask!(ASK.receive_buffer(200_000))).fresh(TCP),
    |_| doubled("SO_RCVBUF", 200_000)))]
#[case::received_by_udp_which_has_no_autotuning(Exact(
    Case::of(udp, ask!(ASK.receive_buffer(10_000))).fresh(TCP),
    |_| doubled("SO_RCVBUF", 10_000)))]
#[case::received_after_the_handshake(Exact(
    Case::of(connected, ask!(ASK.receive_buffer(10_000))).fresh(TCP),
    |_| doubled("SO_RCVBUF", 10_000).warning(LESS).warning(SCALE)))]
#[case::low_water_over_what_autotuning_reaches(Exact(
    Case::of(tcp, ask!(ASK.receive_low_water(MOST))).fresh(TCP),
    |_| differs(
        "SO_RCVLOWAT",
        ["1073741823 bytes", "200000 bytes"],
        "Sysctl",
        "net.ipv4.tcp_rmem is 4096 100000 400000",
        "TCP keeps half of its third number: raise that to 2147483646",
    )))]
#[case::low_water_over_what_autotuning_can_ever_reach(Exact(
    Case::of(tcp, ask!(ASK.receive_low_water(MOST + 1))).fresh(TCP),
    |_| rule("SO_RCVLOWAT", ["1073741824 bytes", "200000 bytes"], NEVER)))]
#[case::low_water_over_the_largest_sysctl(Exact(
    Case::of(tcp, ask!(ASK.receive_low_water(2_000_000_000)))
        .fresh(&[("net.ipv4.tcp_rmem", "4096 100000 2147483647")]),
    |_| rule("SO_RCVLOWAT", ["2000000000 bytes", "1073741823 bytes"], NEVER)))]
#[case::low_water_over_a_buffer_that_is_set(Exact(
    Case::of(tcp, ask!(ASK.receive_buffer(200_000).receive_low_water(250_000))).fresh(TCP_OF_MORE),
    |_| doubled("SO_RCVBUF", 200_000)
        .and(differs(
            "SO_RCVLOWAT",
            ["250000 bytes", "200000 bytes"],
            "KernelRule",
            "TCP keeps at most half the receive buffer",
            "set a larger receive buffer, or none",
        ))
        .warning(
            "SO_RCVBUF: autotuning is off now, and 400000 bytes is less than the 900000 bytes it could have reached \
             (net.ipv4.tcp_rmem); without the option the buffer would grow as needed",
        )))]
#[case::low_water_over_a_buffer_and_what_autotuning_reaches(Exact(
    Case::of(tcp, ask!(ASK.receive_buffer(200_000).receive_low_water(450_001))).fresh(TCP_OF_MORE),
    |_| doubled("SO_RCVBUF", 200_000)
        .and(differs(
            "SO_RCVLOWAT",
            ["450001 bytes", "200000 bytes"],
            "KernelRule",
            "TCP keeps at most half the receive buffer",
            "set a larger receive buffer",
        ))
        .warning(
            "SO_RCVBUF: autotuning is off now, and 400000 bytes is less than the 900000 bytes it could have reached \
             (net.ipv4.tcp_rmem); without the option the buffer would grow as needed",
        )))]
#[case::window_below_the_least(Exact(Case::of(tcp, ask!(ASK.window_clamp(1))), |_| {
    rule("TCP_WINDOW_CLAMP", ["1 bytes", "1152 bytes"], LEAST)
}))]
fn the_report_is_exact(
    #[context] context: Context,
    #[case] exact: Exact,
    #[values(Who::Root, Who::Nobody)] who: Who,
) {
    exact.check(name(&context), who);
}

const TCP_OF_MORE: &[(&str, &str)] = &[("net.ipv4.tcp_rmem", "4096 100000 900000")];

/// A sysctl's value; a machine that sets no limit is none to test this on.
fn small(w: &World, sysctl: &str) -> u32 {
    let value = u32::try_from(w.number(sysctl)).unwrap();
    assert!(value < MOST, "{sysctl} limits nothing here");
    value
}

/// Cut at a sysctl.
fn cut(option: &str, requested: u64, sysctl: &str, shown: &str, limit: u64) -> Want {
    let force = format!("{option}FORCE");
    differs(
        option,
        [
            &format!("{requested} bytes"),
            &format!("{} bytes", 2 * limit),
        ],
        "Sysctl",
        &format!("{sysctl} is {shown}"),
        &format!(
            "raise {sysctl} to {requested} in the first network namespace, or use {force} with CAP_NET_ADMIN"
        ),
    )
}

/// Cut at a sysctl that a namespace shows or, on older kernels, does not: what another socket gets tells.
fn out_of_sight(
    w: &World,
    option: &str,
    sysctl: &str,
    largest: fn(&socket2::Socket) -> usize,
) -> Want {
    let twin = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    let limit = u64::try_from(largest(&twin)).unwrap() / 2;
    let shown = match crate::host::sysctl(sysctl) {
        Some(value) => value,
        None => {
            assert!(w.kernel < (6, 12), "newer ones show it");
            format!("{limit}, by what is in effect (this network namespace does not show it)")
        }
    };
    cut(option, u64::from(MOST), sysctl, &shown, limit)
}
