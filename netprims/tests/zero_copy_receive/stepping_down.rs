use std::io::Write;
use std::os::unix::net::UnixStream;

use netprims::ring::{Event, ReceiveEnd, Rung};

use super::{LIMIT, builder, plan, tcp};

#[test]
fn a_socket_that_refuses_gets_the_next_rung_and_the_others_stay() {
    let mut ring = builder().build().unwrap();
    let pool = ring.rx_pool(&plan(16)).unwrap();
    let (near, mut unix) = UnixStream::pair().unwrap();
    let socket = ring.add(near).unwrap();
    let by_unix = ring.receive(socket, &pool).unwrap();
    let (near, mut tcp) = tcp();
    let socket = ring.add(near).unwrap();
    let by_tcp = ring.receive(socket, &pool).unwrap();
    let texts = [[b'u'; 10_000], [b't'; 10_000]];
    unix.write_all(&texts[0]).unwrap();
    tcp.write_all(&texts[1]).unwrap();
    drop((unix, tcp));
    let mut got = [Vec::new(), Vec::new()];
    let mut ended = 0;
    while ended < 2 {
        ring.poll(LIMIT, |event| match event {
            Event::Received { ticket, chunk, .. } => {
                assert!(ticket == by_unix || ticket == by_tcp);
                got[usize::from(ticket == by_tcp)].extend_from_slice(&chunk);
            }
            Event::ReceiveEnded { end, .. } => {
                assert!(matches!(end, ReceiveEnd::Closed), "{end:?}");
                ended += 1;
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert!(got.iter().zip(texts).all(|(got, text)| *got == text));
    let is_zero_copy = pool.report().rung == Rung::ZeroCopy;
    let stats = pool.stats();
    assert_eq!(stats.stepped_down, u64::from(is_zero_copy), "{stats:?}");
    assert_eq!((stats.bytes, stats.copied), (20_000, Some(20_000)));
}

#[test]
fn datagrams_of_a_pool_with_a_queue_come_one_a_chunk() {
    let near = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let far = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    far.connect(near.local_addr().unwrap()).unwrap();
    let mut ring = builder().build().unwrap();
    let pool = ring.rx_pool(&plan(16)).unwrap();
    let socket = ring.add(near).unwrap();
    let ticket = ring.receive(socket, &pool).unwrap();
    let texts: [&[u8]; 3] = [b"one", b"", b"three"];
    texts
        .iter()
        .for_each(|text| assert_eq!(far.send(text).unwrap(), text.len()));
    let mut got = Vec::new();
    while got.len() < texts.len() {
        ring.poll(LIMIT, |event| match event {
            Event::Received { chunk, .. } => got.push(chunk.to_vec()),
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert_eq!(got, texts);
    ring.cancel(ticket).unwrap();
    let is_zero_copy = pool.report().rung == Rung::ZeroCopy;
    assert_eq!(pool.stats().stepped_down, u64::from(is_zero_copy));
}
