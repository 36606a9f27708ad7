//! Where a datagram went, who answers, and its service class.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use netprims::datagram::{Details, Ecn, Fault, Outgoing, ReceiveBatch, SendBatch, TrafficClass};
use netprims::tuning::{Dscp, Tuning};
use rstest::rstest;

use crate::link::{ip, ipv6};
use crate::netns::{Fresh, in_fresh};
use crate::{collect, pair, refused, send, socket, tune};

/// Sends one from the client to the server's port at `to`, answers it from where it went, and checks all addresses.
fn answered_from_where_it_went(server: &UdpSocket, client: &UdpSocket, to: IpAddr, seen: IpAddr) {
    let port = server.local_addr().unwrap().port();
    let to = SocketAddr::new(to, port);
    send(client, &[Outgoing::new(b"ask").to(to)]);
    let mut answer = None;
    collect(server, 1, |incoming| {
        assert_eq!(incoming.destination(), Some(seen));
        assert_eq!(incoming.interface(), Some(1), "loopback");
        answer = Some((incoming.peer().unwrap(), incoming.answer_from().unwrap()));
    });
    let (peer, from) = answer.unwrap();
    assert_eq!(peer.port(), client.local_addr().unwrap().port());
    let message = Outgoing::new(b"answer").to(peer).from(from);
    send(server, &[message.interface(1)]);
    let answers = collect(client, 1, |incoming| {
        let peer = incoming.peer().unwrap();
        let want = SocketAddr::new(to.ip().to_canonical(), port);
        assert_eq!(SocketAddr::new(peer.ip().to_canonical(), peer.port()), want);
        assert_eq!(incoming.destination(), None, "it was not asked for");
    });
    assert_eq!(answers, [b"answer"]);
}

#[rstest]
#[case("0.0.0.0:0", "0.0.0.0:0", "127.0.0.5", "127.0.0.5")]
#[case("0.0.0.0:0", "[::]:0", "127.0.0.5", "127.0.0.5")]
#[case("[::]:0", "0.0.0.0:0", "127.0.0.5", "::ffff:127.0.0.5")]
#[case("[::]:0", "[::]:0", "::1", "::1")]
fn a_socket_on_every_address_answers_from_the_one_that_was_asked(
    #[case] server: &str,
    #[case] client: &str,
    #[case] to: IpAddr,
    #[case] seen: IpAddr,
) {
    let (server, client) = (socket(server), socket(client));
    Details::DESTINATION.request(&server).unwrap();
    answered_from_where_it_went(&server, &client, to, seen);
}

#[rstest]
#[case("0.0.0.0:0", "127.255.255.255", "127.0.0.1")]
#[case("[::]:0", "::ffff:127.255.255.255", "::ffff:127.0.0.1")]
fn a_broadcast_is_answered_from_an_address_of_the_host(
    #[case] server: &str,
    #[case] seen: IpAddr,
    #[case] answer_from: IpAddr,
) {
    let (server, client) = (socket(server), socket("127.0.0.1:0"));
    Details::DESTINATION.request(&server).unwrap();
    client.set_broadcast(true).unwrap();
    let port = server.local_addr().unwrap().port();
    client.send_to(b"ask", ("127.255.255.255", port)).unwrap();
    let mut answer = None;
    collect(&server, 1, |incoming| {
        assert_eq!(incoming.destination(), Some(seen));
        assert_eq!(incoming.answer_from(), Some(answer_from));
        answer = incoming.peer().zip(incoming.answer_from());
    });
    let (peer, from) = answer.unwrap();
    send(&server, &[Outgoing::new(b"answer").to(peer).from(from)]);
    assert_eq!(collect(&client, 1, |_| ()), [b"answer"]);
}

#[test]
fn of_several_ipv6_addresses_it_is_the_right_one() {
    let test = "addresses::of_several_ipv6_addresses_it_is_the_right_one";
    in_fresh(Fresh::Network, test, || {
        ip("link set lo up");
        ipv6("lo", "fd09::7", 128);
        ipv6("lo", "fd09::8", 128);
        let (server, client) = (socket("[::]:0"), socket("[::]:0"));
        Details::DESTINATION.request(&server).unwrap();
        for to in ["fd09::7", "fd09::8", "::1"] {
            let to = to.parse().unwrap();
            answered_from_where_it_went(&server, &client, to, to);
        }
    });
}

#[rstest]
#[case::v4("127.0.0.1:0", "127.0.0.1:0")]
#[case::v6("[::1]:0", "[::1]:0")]
#[case::v4_to_both("[::]:0", "127.0.0.1:0")]
#[case::both_to_v4("127.0.0.1:0", "[::]:0")]
#[case::both_to_both_over_v4("[::]:0", "[::]:0")]
fn every_bit_of_the_class_arrives(
    #[case] far: &str,
    #[case] near: &str,
    #[values(true, false)] connected: bool,
) {
    let far = socket(far);
    let near = UdpSocket::bind(near).unwrap();
    Details::TRAFFIC_CLASS.request(&far).unwrap();
    let v6 = far.local_addr().unwrap().ip().to_string() == "::1";
    let host: IpAddr = if v6 { "::1" } else { "127.0.0.1" }.parse().unwrap();
    let to = SocketAddr::new(host, far.local_addr().unwrap().port());
    if connected {
        near.connect(to).unwrap();
    }
    let ecn = [
        Ecn::NotCapable,
        Ecn::Ect1,
        Ecn::Ect0,
        Ecn::CongestionExperienced,
    ];
    let dscp = [Dscp::BEST_EFFORT, Dscp::EXPEDITED_FORWARDING];
    let classes = dscp
        .map(|dscp| ecn.map(|ecn| TrafficClass::new(dscp, ecn)))
        .concat();
    let messages = classes.iter().map(|class| {
        let message = Outgoing::new(b"class").traffic_class(*class);
        if connected { message } else { message.to(to) }
    });
    let mut batch = SendBatch::new(8).unwrap();
    assert_eq!(batch.send(&near, messages).unwrap().calls(), 1);
    let mut got = Vec::new();
    collect(&far, classes.len(), |incoming| {
        got.push(incoming.traffic_class().unwrap());
    });
    assert_eq!(got, classes);
}

#[test]
fn datagrams_of_another_class_are_not_joined_with_the_rest() {
    let (near, far) = pair("127.0.0.1:0");
    Details::TRAFFIC_CLASS.request(&far).unwrap();
    tune(&far, Tuning::new().udp_gro(true));
    let messages = [Ecn::Ect0, Ecn::CongestionExperienced].map(|ecn| {
        Outgoing::new(&[5; 3000])
            .segment(1000)
            .traffic_class(ecn.into())
    });
    send(&near, &messages);
    let mut got = Vec::new();
    collect(&far, 6, |incoming| {
        got.push((
            incoming.traffic_class().unwrap().ecn(),
            incoming.datagrams().len(),
        ));
    });
    assert_eq!(got, [(Ecn::Ect0, 3), (Ecn::CongestionExperienced, 3)]);
}

#[test]
fn what_was_not_asked_for_is_not_told() {
    let (near, far) = pair("127.0.0.1:0");
    near.send(b"bare").unwrap();
    collect(&far, 1, |incoming| {
        assert_eq!(incoming.peer(), Some(near.local_addr().unwrap()));
        assert_eq!(
            (incoming.destination(), incoming.answer_from()),
            (None, None)
        );
        assert_eq!(
            (incoming.interface(), incoming.traffic_class()),
            (None, None)
        );
        assert_eq!((incoming.segment(), incoming.dropped()), (None, None));
        assert_eq!(incoming.timestamps(), Default::default());
    });
}

#[rstest]
#[case::nowhere("127.0.0.1:0", Outgoing::new(b"x"), Fault::NoDestination)]
#[case::nowhere_v6("[::1]:0", Outgoing::new(b"x"), Fault::NoDestination)]
#[case::another_family("127.0.0.1:0", Outgoing::new(b"x").to("[::1]:9".parse().unwrap()), Fault::Family)]
#[case::port_zero("127.0.0.1:0", Outgoing::new(b"x").to("127.0.0.1:0".parse().unwrap()), Fault::Other)]
#[case::port_zero_in_segments(
    "127.0.0.1:0",
    Outgoing::new(b"xxx").to("127.0.0.1:0".parse().unwrap()).segment(1),
    Fault::Other
)]
#[case::another_hosts_source_in_segments(
    "[::]:0",
    Outgoing::new(b"xxx").to("[::1]:9".parse().unwrap()).from("2001:db8::1".parse().unwrap()).segment(1),
    Fault::Other
)]
#[case::source_of_another_family(
    "0.0.0.0:0",
    Outgoing::new(b"x").to("127.0.0.1:9".parse().unwrap()).from("::1".parse().unwrap()),
    Fault::Family
)]
#[case::source_of_another_family_v6(
    "[::]:0",
    Outgoing::new(b"x").to("[::1]:9".parse().unwrap()).from("127.0.0.1".parse().unwrap()),
    Fault::Family
)]
#[case::another_hosts_source(
    "0.0.0.0:0",
    Outgoing::new(b"x").to("127.0.0.1:9".parse().unwrap()).from("203.0.113.1".parse().unwrap()),
    Fault::Other
)]
fn what_cannot_be_sent_says_why(
    #[case] near: &str,
    #[case] message: Outgoing<'_>,
    #[case] want: Fault,
) {
    let near = UdpSocket::bind(near).unwrap();
    let mut batch = SendBatch::new(1).unwrap();
    let (sent, fault, errno) = refused(batch.send(&near, &[message]));
    assert_eq!(fault, want, "errno {errno:?}");
    assert_eq!(sent.messages(), 0);
}

/// On a socket of both families that is connected to an IPv4 peer, the interface is to be said as IPv4 says it.
#[rstest]
#[case::v4("127.0.0.1:0", "127.0.0.1:0")]
#[case::v6("[::1]:0", "[::1]:0")]
#[case::both_to_v4("127.0.0.1:0", "[::]:0")]
#[case::both_to_v6("[::1]:0", "[::]:0")]
fn a_connected_socket_takes_interface_and_source(#[case] far: &str, #[case] near: &str) {
    let far = socket(far);
    let near = UdpSocket::bind(near).unwrap();
    let to = far.local_addr().unwrap();
    near.connect(to).unwrap();
    let messages = [
        Outgoing::new(b"abc").interface(1),
        Outgoing::new(b"def").interface(1).segment(2),
        Outgoing::new(b"ghi").from(to.ip()),
    ];
    send(&near, &messages);
    let want: [&[u8]; 4] = [b"abc", b"de", b"f", b"ghi"];
    assert_eq!(collect(&far, 4, |_| ()), want);
    // An interface that is not there shows that it counts.
    let mut batch = SendBatch::new(1).unwrap();
    let nowhere = [Outgoing::new(b"x").interface(0x7fff_0000)];
    let (sent, ..) = refused(batch.send(&near, &nowhere));
    assert_eq!(sent.messages(), 0);
}

#[rstest]
#[case::v4("127.0.0.1:0", "127.0.0.1:0", "::1")]
#[case::v6("[::1]:0", "[::1]:0", "127.0.0.1")]
#[case::both_to_v4("127.0.0.1:0", "[::]:0", "::1")]
#[case::both_to_v6("[::1]:0", "[::]:0", "127.0.0.1")]
fn a_source_of_another_family_than_the_peers_is_refused_and_those_before_go(
    #[case] far: &str,
    #[case] near: &str,
    #[case] from: IpAddr,
) {
    let far = socket(far);
    let near = UdpSocket::bind(near).unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    let mut batch = SendBatch::new(4).unwrap();
    let messages = [
        Outgoing::new(b"before"),
        Outgoing::new(b"wrong").from(from),
        Outgoing::new(b"behind"),
    ];
    let (sent, fault, errno) = refused(batch.send(&near, &messages));
    assert_eq!((fault, errno), (Fault::Family, Some(libc::EAFNOSUPPORT)));
    assert_eq!(sent.messages(), 1);
    let sent = batch.resume(&near, &messages, sent.without_the_next());
    assert_eq!(sent.unwrap().messages(), 3);
    let want: [&[u8]; 2] = [b"before", b"behind"];
    assert_eq!(collect(&far, 2, |_| ()), want);
}

#[test]
fn details_of_what_is_no_internet_socket_are_refused() {
    let (unix, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let error = Details::DESTINATION.request(&unix).unwrap_err();
    assert!(error.to_string().contains("IP_PKTINFO"), "{error}");
    let file = std::fs::File::open("/dev/null").unwrap();
    let error = Details::DROPS.request(&file).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    let error = ReceiveBatch::new(1, 1)
        .unwrap()
        .receive(&file)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
}
