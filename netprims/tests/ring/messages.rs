//! Sends of several buffers.

use std::io::Read;
use std::net::{Shutdown, UdpSocket};
use std::os::unix::net::UnixStream;

use netprims::Error;
use netprims::ring::{Event, Ring, Strays, TxBuf, TxPool, Usage, ZcPolicy};
use rstest::rstest;
use socket2::SockRef;

use super::{LIMIT, tcp, udp};

/// What came of a message.
struct Told {
    result: Result<usize, i32>,
    /// Of each buffer: its length, how much was taken of it, and what became of that.
    released: Vec<(usize, usize, Usage)>,
}

fn finish(ring: &mut Ring) -> Told {
    let (mut results, mut released) = (Vec::new(), Vec::new());
    while ring.in_flight() > 0 {
        ring.poll(LIMIT, |event| match event {
            Event::Sent { result, .. } => {
                results.push(result.map_err(|error| error.raw_os_error().unwrap()));
            }
            Event::Released {
                mut buf,
                bytes,
                usage,
                ..
            } => {
                released.push((buf.len(), bytes, usage));
                buf.fill(0xee);
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert_eq!(results.len(), 1, "one result");
    Told {
        result: results[0],
        released,
    }
}

/// Buffers of these lengths, each full of its number.
fn bufs(pools: &[&TxPool], lens: &[usize]) -> Vec<TxBuf> {
    let numbered = (1_u8..).zip(lens);
    numbered
        .map(|(number, len)| {
            let mut buf = pools[usize::from(number) % pools.len()].take().unwrap();
            buf.set_len(*len).unwrap();
            buf.fill(number);
            buf
        })
        .collect()
}

fn bytes(lens: &[usize]) -> Vec<u8> {
    let numbered = (1_u8..).zip(lens);
    numbered
        .flat_map(|(number, len)| vec![number; *len])
        .collect()
}

const LENS: [usize; 6] = [1, 3000, 0, 77, 9000, 4096];

#[rstest]
fn several_buffers_are_one_datagram(
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
    #[values(1, 2)] pools: usize,
) {
    let (near, far) = udp();
    let mut ring = Ring::builder().in_flight(6).build().unwrap();
    let all = [(); 2].map(|()| ring.tx_pool(6, 9000).unwrap());
    let all: Vec<_> = all.iter().take(pools).collect();
    let socket = ring.add(near).unwrap();
    let mut got = vec![0; 65_536];
    for _ in 0..3 {
        let mut vector = bufs(&all, &LENS);
        let room = vector.capacity();
        ring.send_vectored(socket, &mut vector, policy).unwrap();
        assert!(vector.is_empty() && vector.capacity() == room);
        let told = finish(&mut ring);
        let all = bytes(&LENS);
        assert_eq!(told.result, Ok(all.len()));
        let want = LENS.map(|len| match len {
            0 => (0, 0, Usage::Copied),
            len => (len, len, Usage::Copied),
        });
        assert_eq!(told.released, want);
        assert_eq!(far.recv(&mut got).unwrap(), all.len());
        assert_eq!(got[..all.len()], all);
    }
    let totals = ring.totals();
    let sum: usize = LENS.iter().sum();
    assert_eq!(
        (totals.sends, totals.copied),
        (3, 3 * u64::try_from(sum).unwrap())
    );
    assert_eq!(ring.strays(), Strays::default());
}

#[rstest]
fn a_full_stream_takes_all_buffers_in_the_end(
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
    #[values(1, 2)] pools: usize,
) {
    const LEN: usize = 300_001;
    let (near, mut far) = tcp();
    SockRef::from(&near).set_send_buffer_size(1 << 16).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let all = [(); 2].map(|()| ring.tx_pool(64, u32::try_from(LEN).unwrap()).unwrap());
    let all: Vec<_> = all.iter().take(pools).collect();
    let socket = ring.add(near).unwrap();
    // Several messages, of which all but the first wait.
    let lens = [[LEN; 16], [LEN - 7; 16], [1; 16]];
    for lens in lens {
        let mut vector = bufs(&all, &lens);
        ring.send_vectored(socket, &mut vector, policy).unwrap();
    }
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        far.read_to_end(&mut got).map(|_| got).unwrap()
    });
    let (mut sent, mut taken) = (Vec::new(), 0);
    while ring.in_flight() > 0 {
        ring.poll(LIMIT, |event| match event {
            Event::Sent { result, .. } => sent.push(result.unwrap()),
            Event::Released { mut buf, bytes, .. } => {
                assert_eq!(buf.len(), bytes);
                taken += bytes;
                buf.fill(0xee);
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    }
    assert_eq!(sent, lens.map(|lens| lens.iter().sum::<usize>()));
    assert_eq!(taken, sent.iter().sum::<usize>());
    drop(ring);
    let want: Vec<_> = lens.iter().flat_map(|lens| bytes(lens)).collect();
    assert!(reader.join().unwrap() == want);
}

#[rstest]
#[case::epipe(32)]
#[case::emsgsize(90)]
#[case::edestaddrreq(89)]
fn a_failed_message_gives_all_buffers_back(
    #[case] errno: i32,
    #[values(ZcPolicy::Always, ZcPolicy::Never)] policy: ZcPolicy,
    #[values(1, 2)] pools: usize,
) {
    let mut ring = Ring::builder().build().unwrap();
    let (tcp, udp) = (tcp(), udp());
    let socket = match errno {
        32 => {
            tcp.0.shutdown(Shutdown::Write).unwrap();
            ring.add(tcp.0)
        }
        90 => ring.add(udp.0),
        _ => ring.add(UdpSocket::bind("127.0.0.1:0").unwrap()),
    };
    let socket = socket.unwrap();
    let all = [(); 2].map(|()| ring.tx_pool(6, 40_000).unwrap());
    let all: Vec<_> = all.iter().take(pools).collect();
    let lens = if errno == 90 { [40_000; 2] } else { [500; 2] };
    for round in 1..3 {
        let mut vector = bufs(&all, &lens);
        ring.send_vectored(socket, &mut vector, policy).unwrap();
        let told = finish(&mut ring);
        assert_eq!(told.result, Err(errno));
        assert_eq!(told.released, lens.map(|len| (len, 0, Usage::NotSent)));
        let not_sent = round * 2 * u64::try_from(lens[0]).unwrap();
        assert_eq!(ring.totals().not_sent, not_sent);
    }
    assert_eq!(ring.strays(), Strays::default());
}

#[test]
fn a_unix_socket_gets_messages_plainly_after_its_refusal() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(6, 9000).unwrap();
    let socket = ring.add(near).unwrap();
    for _ in 0..2 {
        let mut vector = bufs(&[&pool], &LENS);
        ring.send_vectored(socket, &mut vector, ZcPolicy::Always)
            .unwrap();
        let told = finish(&mut ring);
        let want = bytes(&LENS);
        assert_eq!(told.result, Ok(want.len()));
        let mut got = vec![0; want.len()];
        far.read_exact(&mut got).unwrap();
        assert_eq!(got, want);
    }
    assert_eq!(ring.strays(), Strays::default());
}

#[test]
fn an_impossible_message_leaves_the_buffers_where_they_are() {
    let mut ring = Ring::builder().in_flight(15).build().unwrap();
    let mut other = Ring::builder().build().unwrap();
    let (pool, foreign) = (ring.tx_pool(17, 8).unwrap(), other.tx_pool(1, 8).unwrap());
    let socket = ring.add(udp().0).unwrap();
    let mut refused = |vector: &mut Vec<TxBuf>| {
        let before = vector.len();
        let error = ring
            .send_vectored(socket, vector, ZcPolicy::Always)
            .unwrap_err();
        assert_eq!((vector.len(), ring.in_flight()), (before, 0));
        error
    };
    assert!(matches!(
        refused(&mut Vec::new()),
        Error::InvalidValue { .. }
    ));
    let mut vector: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
    let error = refused(&mut vector);
    assert_eq!(
        error.to_string(),
        "send_vectored = 17 buffers with 136 bytes: a message has 1 to 16 buffers, and 2147479552 bytes at most"
    );
    vector.pop();
    assert!(matches!(refused(&mut vector), Error::RingFull));
    vector.truncate(2);
    vector.push(foreign.take().unwrap());
    assert!(matches!(refused(&mut vector), Error::ForeignBuffer));
    let mut vector = vec![pool.take().unwrap()];
    let removed = ring.add(udp().0).unwrap();
    ring.remove(removed).unwrap();
    let error = ring.send_vectored(removed, &mut vector, ZcPolicy::Never);
    assert!(matches!(error, Err(Error::UnknownSocket)));
    let error = other.send_vectored(socket, &mut vector, ZcPolicy::Never);
    assert!(matches!(error, Err(Error::UnknownSocket)));
    assert_eq!(vector.len(), 1);
}
