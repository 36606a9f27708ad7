use std::io::Write;
use std::os::unix::net::UnixStream;

use netprims::ring::{Event, ReceiveEnd, Rung, Wanted, WhyNot};

use super::{LIMIT, builder, plan, tcp};

#[test]
fn a_socket_that_refuses_gets_the_next_rung_and_the_others_stay() {
    let mut ring = builder().build().unwrap();
    let pool = ring.rx_pool(&plan(16)).unwrap();
    let (near, mut unix) = UnixStream::pair().unwrap();
    let refusing = ring.add(near).unwrap();
    let by_unix = ring.receive(refusing, &pool).unwrap();
    let (near, mut tcp) = tcp();
    let socket = ring.add(near).unwrap();
    let by_tcp = ring.receive(socket, &pool).unwrap();
    let texts = [[b'u'; 10_000], [b't'; 10_000]];
    unix.write_all(&texts[0]).unwrap();
    tcp.write_all(&texts[1]).unwrap();
    let mut got = [Vec::new(), Vec::new()];
    while got.iter().any(|got| got.len() < 10_000) {
        ring.poll(LIMIT, |event| match event {
            Event::Received { ticket, chunk, .. } => {
                got[usize::from(ticket == by_tcp)].extend_from_slice(&chunk);
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    let rung = pool.report().rung;
    let is_zero_copy = rung == Rung::ZeroCopy;
    let of_tcp = ring.receive_report(socket).unwrap().unwrap();
    assert_eq!((of_tcp.rung, of_tcp.declined), (rung, Vec::new()));
    let of_unix = ring.receive_report(refusing).unwrap().unwrap();
    assert_eq!(of_unix.rung, Rung::Multishot);
    let why = of_unix.why_not(Wanted::ZeroCopy).map(WhyNot::to_string);
    let want = "the socket refuses it: Protocol not supported (os error 93)";
    assert_eq!(why.as_deref(), is_zero_copy.then_some(want));
    drop((unix, tcp));
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
    let is_zero_copy = pool.report().rung == Rung::ZeroCopy;
    let report = ring.receive_report(socket).unwrap().unwrap();
    let why = is_zero_copy.then_some(&WhyNot::NotAStream);
    assert_eq!(report.why_not(Wanted::ZeroCopy), why);
    ring.cancel(ticket).unwrap();
    assert_eq!(pool.stats().stepped_down, u64::from(is_zero_copy));
}
