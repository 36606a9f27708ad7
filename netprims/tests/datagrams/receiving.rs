//! What a receiving batch does with more than it has room for, and with less.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use netprims::Error;
use netprims::datagram::{Details, MAX_MESSAGES, Outgoing, ReceiveBatch, SendBatch};
use netprims::tuning::Tuning;
use rstest::rstest;
use socket2::SockRef;

use crate::{collect, pair, send, tune};

#[test]
fn what_is_too_long_is_cut_and_said() {
    let (near, far) = pair("127.0.0.1:0");
    let mut batch = ReceiveBatch::new(4, 100).unwrap();
    for len in [99, 100, 101, 5000, 0] {
        near.send(&vec![1; len]).unwrap();
    }
    let received = batch.receive(&far).unwrap();
    let got: Vec<_> = received
        .iter()
        .map(|incoming| (incoming.bytes().len(), incoming.is_truncated()))
        .collect();
    assert_eq!(got, [(99, false), (100, false), (100, true), (100, true)]);
    let received = batch.receive(&far).unwrap();
    let last = received.iter().next().unwrap();
    assert_eq!(
        (received.len(), last.bytes().len(), last.is_truncated()),
        (1, 0, false)
    );
    assert_eq!(last.datagrams().collect::<Vec<_>>(), [[0_u8; 0]]);
}

#[test]
fn of_joined_datagrams_the_first_are_whole() {
    let (near, far) = pair("127.0.0.1:0");
    tune(&far, Tuning::new().udp_gro(true));
    send(&near, &[Outgoing::new(&[1; 950]).segment(100)]);
    let mut batch = ReceiveBatch::new(1, 250).unwrap();
    let received = batch.receive(&far).unwrap();
    let incoming = received.iter().next().unwrap();
    assert!(incoming.is_truncated());
    assert_eq!(incoming.segment().map(u16::from), Some(100));
    let sizes: Vec<_> = incoming.datagrams().map(<[u8]>::len).collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn a_blocking_socket_waits_for_one_and_no_other() {
    let (near, far) = pair("127.0.0.1:0");
    let mut batch = ReceiveBatch::new(8, 16).unwrap();
    near.send(b"one").unwrap();
    // Were it to wait for eight, the read timeout would show: it is long, and its end is no message.
    assert_eq!(batch.receive(&far).unwrap().len(), 1);
    far.set_read_timeout(None).unwrap();
    let sending = std::thread::spawn(move || {
        near.send(b"two").unwrap();
        near
    });
    assert_eq!(batch.receive(&far).unwrap().len(), 1);
    let near = sending.join().unwrap();
    for _ in 0..10 {
        near.send(b"more").unwrap();
    }
    assert_eq!(batch.receive(&far).unwrap().len(), 8);
    assert_eq!(batch.receive(&far).unwrap().len(), 2);
}

#[rstest]
fn nothing_there_is_no_error(#[values("try", "nonblocking", "timeout")] how: &str) {
    let (near, far) = pair("127.0.0.1:0");
    let mut batch = ReceiveBatch::new(2, 16).unwrap();
    near.send(b"before").unwrap();
    assert_eq!(batch.receive(&far).unwrap().len(), 1);
    let received = match how {
        "try" => batch.try_receive(&far),
        "nonblocking" => {
            far.set_nonblocking(true).unwrap();
            batch.receive(&far)
        }
        _ => {
            far.set_read_timeout(Some(Duration::from_millis(1)))
                .unwrap();
            batch.receive(&far)
        }
    };
    let received = received.unwrap();
    assert!(received.is_empty() && received.iter().next().is_none());
}

#[rstest]
#[case::v4("127.0.0.1:0")]
#[case::v6("[::1]:0")]
fn after_a_shutdown_there_is_an_end_and_no_datagram(#[case] address: &str) {
    let (near, far) = pair(address);
    far.connect(near.local_addr().unwrap()).unwrap();
    near.send(b"before").unwrap();
    near.send(b"").unwrap();
    SockRef::from(&far).shutdown(Shutdown::Read).unwrap();
    let mut batch = ReceiveBatch::new(4, 16).unwrap();
    // What came before is there, the empty datagram too.
    let received = batch.receive(&far).unwrap();
    assert_eq!((received.len(), received.is_end()), (2, false));
    let empty = received.iter().nth(1).unwrap();
    assert_eq!(empty.peer(), Some(near.local_addr().unwrap()));
    for _ in 0..2 {
        let received = batch.receive(&far).unwrap();
        assert!(received.is_empty() && received.is_end(), "{received:?}");
        assert!(received.iter().next().is_none());
    }
    assert!(!batch.try_receive(&far).unwrap().is_end());
    near.send(b"after").unwrap();
    let received = batch.receive(&far).unwrap();
    assert_eq!((received.len(), received.is_end()), (1, false));
}

#[test]
fn a_stream_that_was_closed_ends_behind_what_came() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut near, b"last words").unwrap();
    drop(near);
    let mut batch = ReceiveBatch::new(4, 16).unwrap();
    let mut bytes = 0;
    loop {
        let received = batch.receive(&far).unwrap();
        bytes += received
            .iter()
            .map(|piece| piece.bytes().len())
            .sum::<usize>();
        assert!(received.iter().all(|piece| !piece.bytes().is_empty()));
        if received.is_end() {
            break;
        }
    }
    assert_eq!(bytes, 10);
}

#[test]
fn an_empty_message_of_a_peer_without_a_name_is_one() {
    let (near, far) = UnixDatagram::pair().unwrap();
    near.send(b"").unwrap();
    near.send(b"x").unwrap();
    near.send(b"").unwrap();
    let mut batch = ReceiveBatch::new(8, 16).unwrap();
    let received = batch.receive(&far).unwrap();
    let sizes: Vec<_> = received.iter().map(|piece| piece.bytes().len()).collect();
    assert_eq!((sizes, received.is_end()), (vec![0, 1, 0], false));
}

#[test]
fn what_the_socket_dropped_is_counted() {
    let (near, far) = pair("127.0.0.1:0");
    let _ = Tuning::new().receive_buffer(1).apply(&far).unwrap();
    Details::DROPS.request(&far).unwrap();
    let fill = || {
        for _ in 0..50 {
            near.send(&[0; 500]).unwrap();
        }
    };
    fill();
    let mut batch = ReceiveBatch::new(64, 500).unwrap();
    let first = batch.receive(&far).unwrap();
    assert!(first.iter().all(|incoming| incoming.dropped().is_none()));
    let kept = first.len();
    assert!(kept < 50, "nothing was dropped");
    near.send(b"after").unwrap();
    let received = batch.receive(&far).unwrap();
    let dropped = received.iter().next().unwrap().dropped();
    assert_eq!(dropped, Some(u32::try_from(50 - kept).unwrap()));
}

#[rstest]
#[case::no_messages(0, 1, "0 messages")]
#[case::too_many_messages(MAX_MESSAGES + 1, 1, "1025 messages")]
#[case::no_bytes(1, 0, "0 bytes")]
#[case::too_many_bytes(1, ReceiveBatch::LARGEST + 1, "65536 bytes")]
#[case::all_there_is(usize::MAX, usize::MAX, "messages")]
fn a_batch_that_cannot_be_is_refused(
    #[case] messages: usize,
    #[case] size: usize,
    #[case] value: &str,
) {
    let error = ReceiveBatch::new(messages, size).unwrap_err();
    assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
    assert!(error.to_string().contains(value), "{error}");
    if size == 1 {
        SendBatch::new(messages).unwrap_err();
    }
}

#[test]
fn the_largest_batch_takes_all_that_is_there_in_one_call() {
    let (near, far) = pair("127.0.0.1:0");
    let messages = vec![Outgoing::new(b"x"); MAX_MESSAGES];
    let mut sender = SendBatch::new(MAX_MESSAGES).unwrap();
    assert_eq!(sender.send(&near, &messages).unwrap().calls(), 1);
    let mut batch = ReceiveBatch::new(MAX_MESSAGES, 1).unwrap();
    // How many the socket could keep is the host's matter.
    let kept = batch.receive(&far).unwrap().len();
    assert!((200..=MAX_MESSAGES).contains(&kept), "{kept}");
    assert!(batch.try_receive(&far).unwrap().is_empty());
    assert_eq!((batch.capacity(), batch.size()), (MAX_MESSAGES, 1));
    near.send(b"y").unwrap();
    assert_eq!(collect(&far, 1, |_| ()), [b"y"]);
}

#[test]
fn a_batch_serves_sockets_of_every_kind_and_thread() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    let mut sender = SendBatch::new(2).unwrap();
    let mut batch = ReceiveBatch::new(2, 16).unwrap();
    is_send_and_sync(&sender);
    is_send_and_sync(&batch);
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (near, far) = pair(address);
        std::thread::scope(|scope| {
            scope.spawn(|| sender.send(&near, &[Outgoing::new(b"x")]).unwrap());
        });
        let owned = std::os::fd::OwnedFd::from(far);
        assert_eq!(batch.receive(&owned).unwrap().len(), 1);
        let far = socket2::Socket::from(owned);
        assert!(batch.try_receive(&far).unwrap().is_empty());
    }
}
