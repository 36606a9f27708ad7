//! Batches that do not go whole.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use netprims::datagram::{Fault, Outgoing, ReceiveBatch, Segmentation, SendBatch, Sent};
use netprims::tuning::{Clock, Tuning, TxTime};
use rstest::rstest;

use crate::link::{FAR, cable, ip};
use crate::netns::{Fresh, in_fresh};
use crate::{collect, pair, refused, send, tune};

/// A non-blocking socket with a small buffer, and its peer, of which it is not known yet where on the cable it is: what
/// is sent waits.
pub(crate) fn stuck() -> (UdpSocket, UdpSocket) {
    let far = cable("10.9.0.2:0", false);
    // As long as it takes: the kernel gives up after three questions, one a second.
    std::fs::write("/proc/sys/net/ipv4/neigh/near/mcast_solicit", "1000").unwrap();
    let near = UdpSocket::bind("10.9.0.1:0").unwrap();
    tune(&near, Tuning::new().send_buffer(8192));
    near.connect(far.local_addr().unwrap()).unwrap();
    near.set_nonblocking(true).unwrap();
    (near, far)
}

/// Says where the peer is, so that what waits goes, and resumes until all has gone.
fn unstick(mut sent: Sent, mut resume: impl FnMut(Sent) -> netprims::Result<Sent>) -> Sent {
    ip(&format!("neigh replace 10.9.0.2 lladdr {FAR} dev near"));
    let start = Instant::now();
    while sent.is_blocked() {
        assert!(start.elapsed() < Duration::from_secs(60), "{sent:?}");
        sent = resume(sent).unwrap();
        std::thread::yield_now();
    }
    sent
}

#[test]
fn a_full_buffer_ends_a_batch_and_the_rest_goes_later() {
    let test = "partial::a_full_buffer_ends_a_batch_and_the_rest_goes_later";
    in_fresh(Fresh::Network, test, || {
        let (near, far) = stuck();
        let payloads: Vec<_> = (0..40_u8).map(|nth| vec![nth; 1000]).collect();
        let messages = payloads.iter().map(|payload| Outgoing::new(payload));
        let mut batch = SendBatch::new(64).unwrap();
        let sent = batch.send(&near, messages.clone()).unwrap();
        assert!(sent.is_blocked(), "{sent:?}");
        assert!((1..40).contains(&sent.messages()), "{sent:?}");
        assert_eq!((sent.bytes(), sent.part()), (sent.messages() * 1000, 0));
        assert_eq!(sent.datagrams(), sent.messages());
        // Nothing has changed: nothing goes.
        let again = batch.resume(&near, messages.clone(), sent).unwrap();
        assert_eq!(again, sent);
        let sent = unstick(sent, |sent| batch.resume(&near, messages.clone(), sent));
        assert_eq!((sent.messages(), sent.bytes()), (40, 40_000));
        assert!(collect(&far, 40, |_| ()) == payloads);
    });
}

#[test]
fn a_message_that_went_in_part_goes_on_where_it_stopped() {
    let test = "partial::a_message_that_went_in_part_goes_on_where_it_stopped";
    in_fresh(Fresh::Network, test, || {
        let (near, far) = stuck();
        let payload: Vec<u8> = (0..40_u8).flat_map(|nth| [nth; 1000]).collect();
        let messages = [Outgoing::new(&payload).segment(1000)];
        let mut batch = SendBatch::new(64).unwrap();
        batch.set_segmentation(Segmentation::Batch);
        let sent = batch.send(&near, &messages).unwrap();
        assert!(sent.is_blocked() && sent.messages() == 0, "{sent:?}");
        assert!((1..40).contains(&sent.datagrams()), "{sent:?}");
        assert_eq!(
            (sent.part(), sent.bytes()),
            (sent.datagrams() * 1000, sent.part())
        );
        let sent = unstick(sent, |sent| batch.resume(&near, &messages, sent));
        assert_eq!((sent.messages(), sent.datagrams(), sent.part()), (1, 40, 0));
        assert!(collect(&far, 40, |_| ()).concat() == payload);
    });
}

#[rstest]
#[case::v4("127.0.0.1:0")]
#[case::v6("[::1]:0")]
fn a_peer_that_refuses_is_told_of_and_loses_no_message(#[case] address: &str) {
    let (near, far) = pair(address);
    let peer = far.local_addr().unwrap();
    drop(far);
    let mut batch = SendBatch::new(8).unwrap();
    let messages = [Outgoing::new(b"x"); 5];
    // The answer to a message (ICMP) is the error of the next. `sendmmsg` tells it only if it is its first.
    let mut sent = Sent::default();
    let mut told = 0;
    for _ in 0..100 {
        match batch.send(&near, &messages) {
            Ok(all) => {
                assert_eq!((all.messages(), all.datagrams()), (5, 5));
                sent = all;
            }
            result => {
                let (before, fault, errno) = refused(result);
                assert_eq!(
                    (fault, errno),
                    (Fault::PeerRefused, Some(libc::ECONNREFUSED))
                );
                told += 1;
                sent = batch.resume(&near, &messages, before).unwrap();
                assert_eq!(sent.messages(), 5);
            }
        }
    }
    assert!(told > 0, "never told, at last {sent:?}");
    // The receiving side is told, too, and goes on.
    let mut incoming = ReceiveBatch::new(2, 16).unwrap();
    let mut told = 0;
    for _ in 0..100 {
        let _ = batch.send(&near, &messages[..1]);
        match incoming.try_receive(&near) {
            Ok(received) => assert!(received.is_empty()),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
                told += 1;
            }
        }
    }
    assert!(told > 0, "never told");
    // Somebody listens now: nothing is wrong with the socket.
    let far = UdpSocket::bind(peer).unwrap();
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = batch.send(&near, &messages[..1]);
    let _ = incoming.try_receive(&near);
    send(&near, &[Outgoing::new(b"last")]);
    let last = collect_until_last(&far);
    assert_eq!(last, b"last");
}

fn collect_until_last(far: &UdpSocket) -> Vec<u8> {
    let mut batch = ReceiveBatch::new(4, 16).unwrap();
    loop {
        let received = batch.receive(far).unwrap();
        assert!(!received.is_empty(), "nothing came");
        if let Some(last) = received.iter().find(|incoming| incoming.bytes() == b"last") {
            return last.bytes().to_vec();
        }
    }
}

#[rstest]
#[case::v4("127.0.0.1:0", 65_507)]
#[case::v6("[::1]:0", 65_527)]
fn the_longest_datagram_goes_and_one_more_byte_does_not(
    #[case] address: &str,
    #[case] most: usize,
) {
    let (near, far) = pair(address);
    let payload = vec![3; most + 1];
    let mut batch = SendBatch::new(4).unwrap();
    let messages = [
        Outgoing::new(&payload[..most]),
        Outgoing::new(&payload),
        Outgoing::new(&[]),
    ];
    let (sent, fault, errno) = refused(batch.send(&near, &messages));
    assert_eq!((fault, errno), (Fault::TooLong, Some(libc::EMSGSIZE)));
    assert_eq!((sent.messages(), sent.bytes()), (1, most));
    let sent = batch
        .resume(&near, &messages, sent.without_the_next())
        .unwrap();
    assert_eq!(
        (sent.messages(), sent.datagrams(), sent.bytes()),
        (3, 2, most)
    );
    let sizes: Vec<_> = collect(&far, 2, |_| ()).iter().map(Vec::len).collect();
    assert_eq!(sizes, [most, 0]);
}

#[test]
fn a_datagram_that_may_not_be_fragmented_says_so() {
    let test = "partial::a_datagram_that_may_not_be_fragmented_says_so";
    in_fresh(Fresh::Network, test, || {
        ip("link set lo mtu 1500 up");
        let (near, far) = pair("127.0.0.1:0");
        let payload = [3; 1473];
        let mut batch = SendBatch::new(4).unwrap();
        let messages = [Outgoing::new(&payload)];
        send(&near, &messages);
        tune(&near, Tuning::new().path_mtu(netprims::tuning::PathMtu::Do));
        let (_, fault, errno) = refused(batch.send(&near, &messages));
        assert_eq!((fault, errno), (Fault::OverMtu, Some(libc::EMSGSIZE)));
        assert_eq!(collect(&far, 1, |_| ()), [payload]);
    });
}

#[test]
fn a_time_to_leave_needs_the_option() {
    let (near, far) = pair("127.0.0.1:0");
    let mut batch = SendBatch::new(4).unwrap();
    let messages = [Outgoing::new(b"now").departure(Duration::from_nanos(1))];
    let (_, fault, errno) = refused(batch.send(&near, &messages));
    assert_eq!((fault, errno), (Fault::NoTxTime, Some(libc::EINVAL)));
    let time = TxTime::new(Clock::Monotonic);
    tune(&near, Tuning::new().txtime(time));
    send(&near, &messages);
    assert_eq!(collect(&far, 1, |_| ()), [b"now"]);
}

#[test]
fn nothing_to_send_is_no_call() {
    let (near, _far) = pair("127.0.0.1:0");
    let mut batch = SendBatch::new(4).unwrap();
    assert_eq!(batch.send(&near, &[]).unwrap(), Sent::default());
}
