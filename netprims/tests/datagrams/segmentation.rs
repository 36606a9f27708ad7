//! Messages cut into datagrams by the kernel or by the batch, and datagrams joined by the kernel.

use std::cell::RefCell;
use std::net::UdpSocket;

use netprims::datagram::{Fault, MAX_SEGMENTS, Outgoing, Segmentation, SendBatch};
use netprims::tuning::Tuning;
use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;
use socket2::{Domain, Protocol, Socket, Type};

use crate::link::{cable, ip};
use crate::netns::{Fresh, in_fresh};
use crate::{collect, pair, refused, socket, tune};

/// Bytes whose order shows.
fn bytes(len: usize, seed: usize) -> Vec<u8> {
    let at = |at| u8::try_from((at * 7 + seed) % 251).unwrap();
    (0..len).map(at).collect()
}

/// What must arrive.
fn datagrams(messages: &[(Vec<u8>, Option<u16>)]) -> Vec<Vec<u8>> {
    let cut = |(payload, segment): &(Vec<u8>, Option<u16>)| match segment {
        Some(size @ 1..) if !payload.is_empty() => {
            let size = usize::from(*size);
            payload.chunks(size).map(<[u8]>::to_vec).collect()
        }
        _ => vec![payload.clone()],
    };
    messages.iter().flat_map(cut).collect()
}

/// Sends all of it on a connected socket, and checks that it arrives. Returns the pieces' segment sizes.
fn goes_and_arrives(
    near: &UdpSocket,
    far: &UdpSocket,
    batch: &mut SendBatch,
    messages: &[(Vec<u8>, Option<u16>)],
) -> Vec<u16> {
    let want = datagrams(messages);
    let outgoing = messages.iter().map(|(payload, segment)| {
        let message = Outgoing::new(payload);
        match segment {
            Some(segment) => message.segment(*segment),
            None => message,
        }
    });
    let sent = batch.send(near, outgoing).unwrap();
    let bytes: usize = messages.iter().map(|(payload, _)| payload.len()).sum();
    assert_eq!((sent.messages(), sent.part()), (messages.len(), 0));
    assert_eq!((sent.datagrams(), sent.bytes()), (want.len(), bytes));
    assert!(!sent.is_blocked() && !sent.is_interrupted(), "{sent:?}");
    let mut joined = Vec::new();
    let got = collect(far, want.len(), |incoming| {
        joined.extend(incoming.segment().map(u16::from));
    });
    assert!(got == want, "other datagrams than were sent");
    joined
}

/// Up to some hundred and fifty datagrams: what a receive buffer holds that the host cuts at the usual 212 992 bytes.
fn messages() -> impl Strategy<Value = Vec<(Vec<u8>, Option<u16>)>> {
    let plain = (0..3000_usize).prop_map(|len| (len, None));
    let segmented = |most: usize| {
        (1..=1400_u16, 0..most, 0..1400_usize).prop_map(|(size, count, rest)| {
            let size_of = usize::from(size);
            (size_of * count + rest % size_of, Some(size))
        })
    };
    let whole = (0..3000_usize).prop_map(|len| (len, Some(0)));
    let small = prop_oneof![1 => plain, 1 => whole, 2 => segmented(20)];
    (segmented(90), vec(small, 0..4)).prop_map(|(large, mut sizes)| {
        sizes.insert(sizes.len() / 2, large);
        let fill = |(nth, (len, segment))| (bytes(len, nth), segment);
        sizes.into_iter().enumerate().map(fill).collect()
    })
}

#[rstest]
#[case::v4("127.0.0.1:0")]
#[case::v6("[::1]:0")]
fn random_messages_keep_their_boundaries(
    #[case] address: &str,
    #[values(true, false)] gro: bool,
    #[values(Segmentation::Kernel, Segmentation::Batch)] segmentation: Segmentation,
) {
    let (near, far) = pair(address);
    tune(&far, Tuning::new().udp_gro(gro));
    // Fewer than there are pieces: a batch goes in several calls.
    let mut batch = SendBatch::new(3).unwrap();
    batch.set_segmentation(segmentation);
    let batch = RefCell::new(batch);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
    runner
        .run(&messages(), |messages| {
            goes_and_arrives(&near, &far, &mut batch.borrow_mut(), &messages);
            Ok(())
        })
        .unwrap();
    assert_eq!(batch.into_inner().segmentation(), segmentation);
}

#[test]
fn what_the_kernel_cut_it_hands_over_in_one_piece_if_asked() {
    let (near, far) = pair("127.0.0.1:0");
    let mut batch = SendBatch::new(4).unwrap();
    let messages = [(bytes(10_000, 0), Some(1000)), (bytes(999, 1), Some(1000))];
    let joined = goes_and_arrives(&near, &far, &mut batch, &messages);
    assert_eq!(
        joined, [0; 0],
        "without the option every piece is a datagram"
    );
    tune(&far, Tuning::new().udp_gro(true));
    let joined = goes_and_arrives(&near, &far, &mut batch, &messages);
    assert_eq!(
        joined,
        [1000],
        "one piece with ten, and one that is a datagram"
    );
    assert_eq!(batch.segmentation(), Segmentation::Kernel);
}

#[test]
fn a_message_beyond_every_limit_goes_in_as_few_calls_as_there_is_room_for() {
    let (near, far) = pair("127.0.0.1:0");
    tune(&far, Tuning::new().udp_gro(true));
    let message = bytes(300_001, 0);
    let mut batch = SendBatch::new(2).unwrap();
    // 50 pieces of 64 datagrams of 94 bytes, and one of the rest.
    let outgoing = [Outgoing::new(&message).segment(94)];
    let sent = batch.send(&near, &outgoing).unwrap();
    assert_eq!((sent.datagrams(), sent.bytes()), (3192, 300_001));
    assert_eq!(sent.calls(), 3192_usize.div_ceil(MAX_SEGMENTS).div_ceil(2));
    let got = collect(&far, 3192, |_| ());
    assert!(got.concat() == message);
    assert!(got[..3191].iter().all(|datagram| datagram.len() == 94));
}

#[rstest]
#[case::v4("10.9.0.2:0", "0.0.0.0:0")]
#[case::v6("[fd09::2]:0", "[::]:0")]
#[case::v4_from_a_socket_of_both("10.9.0.2:0", "[::]:0")]
fn over_a_cable_too(#[case] far: &'static str, #[case] near: &str) {
    let case = match (far, near) {
        ("10.9.0.2:0", "0.0.0.0:0") => "case_1_v4",
        ("[fd09::2]:0", _) => "case_2_v6",
        _ => "case_3_v4_from_a_socket_of_both",
    };
    let test = format!("segmentation::over_a_cable_too::{case}");
    in_fresh(Fresh::Network, &test, || {
        let far = cable(far, true);
        let near = UdpSocket::bind(near).unwrap();
        let to = far.local_addr().unwrap();
        let mut batch = SendBatch::new(16).unwrap();
        for (gro, segmentation) in [
            (true, Segmentation::Kernel),
            (false, Segmentation::Kernel),
            (true, Segmentation::Batch),
        ] {
            tune(&far, Tuning::new().udp_gro(gro));
            batch.set_segmentation(segmentation);
            for (len, size) in [
                (1, 1),
                (1452, 1452),
                (20_000, 1452),
                (64_000, 1000),
                (150_000, 1333),
            ] {
                let message = bytes(len, size);
                let segment = u16::try_from(size).unwrap();
                let outgoing = [Outgoing::new(&message).to(to).segment(segment)];
                let sent = batch.send(&near, &outgoing).unwrap();
                assert_eq!(sent.datagrams(), len.div_ceil(size));
                let got = collect(&far, sent.datagrams(), |_| ());
                let want: Vec<_> = message.chunks(size).map(<[u8]>::to_vec).collect();
                assert!(got == want, "{len} bytes in datagrams of {size}");
            }
        }
    });
}

#[test]
fn a_segment_beyond_the_mtu_is_refused_and_the_others_go() {
    let test = "segmentation::a_segment_beyond_the_mtu_is_refused_and_the_others_go";
    in_fresh(Fresh::Network, test, || {
        ip("link set lo mtu 1500 up");
        let (near, far) = pair("127.0.0.1:0");
        let text = bytes(5000, 0);
        let mut batch = SendBatch::new(8).unwrap();
        let messages = [
            Outgoing::new(&text).segment(1472),
            Outgoing::new(b"one"),
            Outgoing::new(&text).segment(1473),
            Outgoing::new(b"two"),
        ];
        let (sent, fault, errno) = refused(batch.send(&near, &messages));
        assert_eq!(fault, Fault::Segment, "errno {errno:?}");
        assert_eq!((sent.messages(), sent.part(), sent.datagrams()), (2, 0, 5));
        // Again it is the same, and nothing else goes.
        let (again, ..) = refused(batch.resume(&near, &messages, sent));
        assert_eq!((again.messages(), again.datagrams()), (2, 5));
        let sent = batch
            .resume(&near, &messages, again.without_the_next())
            .unwrap();
        assert_eq!((sent.messages(), sent.datagrams()), (4, 6));
        let sizes: Vec<_> = collect(&far, 6, |_| ()).iter().map(Vec::len).collect();
        assert_eq!(sizes, [1472, 1472, 1472, 584, 3, 3]);
        assert_eq!(batch.segmentation(), Segmentation::Kernel);
    });
}

#[test]
fn the_sockets_own_segment_size_holds_where_a_message_says_none() {
    let (near, far) = pair("127.0.0.1:0");
    tune(&near, Tuning::new().udp_segment(100));
    let text = bytes(250, 0);
    let mut batch = SendBatch::new(4).unwrap();
    let messages = [
        Outgoing::new(&text),
        Outgoing::new(&text).segment(0),
        Outgoing::new(&text).segment(200),
    ];
    assert_eq!(batch.send(&near, &messages).unwrap().messages(), 3);
    let sizes: Vec<_> = collect(&far, 6, |_| ()).iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 100, 50, 250, 200, 50]);
}

/// UDP-Lite takes the option and refuses the send, as a path without the offload does.
#[test]
fn where_the_path_has_no_offload_the_batch_cuts() {
    const UDP_LITE: i32 = 136;
    let open = || Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::from(UDP_LITE)));
    let protocols = std::fs::read_to_string("/proc/net/protocols").unwrap();
    if !protocols.contains("UDP-Lite") {
        // Linux 7.1 has dropped the protocol. The unit tests of the batch bring the same errno about.
        open().unwrap_err();
        return;
    }
    let bound = || {
        let socket = open().unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        UdpSocket::from(socket)
    };
    let (near, far) = (bound(), bound());
    near.connect(far.local_addr().unwrap()).unwrap();
    let patience = Some(std::time::Duration::from_secs(20));
    far.set_read_timeout(patience).unwrap();
    let mut batch = SendBatch::new(4).unwrap();
    let messages = [
        (bytes(99, 0), None),
        (bytes(10_001, 1), Some(1000)),
        (bytes(5, 2), Some(1000)),
    ];
    goes_and_arrives(&near, &far, &mut batch, &messages);
    assert_eq!(batch.segmentation(), Segmentation::Batch);
    goes_and_arrives(&near, &far, &mut batch, &messages);
    // The socket's own option is not the batch's to undo.
    tune(&near, Tuning::new().udp_segment(50));
    let (sent, fault, errno) = refused(batch.send(&near, &[Outgoing::new(&[7; 99])]));
    assert_eq!(
        (fault, errno, sent.messages()),
        (Fault::NoOffload, Some(libc::EIO), 0)
    );
}

#[test]
fn a_socket_of_both_families_takes_ipv4_addresses_plain_and_mapped() {
    let near = UdpSocket::bind("[::]:0").unwrap();
    let far = socket("127.0.0.1:0");
    let port = far.local_addr().unwrap().port();
    let mut batch = SendBatch::new(4).unwrap();
    let addresses = [
        format!("127.0.0.1:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
    ];
    let messages = addresses.each_ref().map(|to| {
        let text = to.as_bytes();
        Outgoing::new(text).to(to.parse().unwrap()).segment(7)
    });
    let sent = batch.send(&near, &messages).unwrap();
    let got = collect(&far, sent.datagrams(), |_| ());
    assert_eq!(got.concat(), addresses.concat().as_bytes());
    // An IPv4 socket takes them, too.
    let near = UdpSocket::bind("0.0.0.0:0").unwrap();
    let sent = batch.send(&near, &messages).unwrap();
    let got = collect(&far, sent.datagrams(), |_| ());
    assert_eq!(got.concat(), addresses.concat().as_bytes());
}
