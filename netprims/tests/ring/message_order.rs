//! The order of messages, where the kernel keeps it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use netprims::ring::{Event, Ring, Wait, ZcPolicy};
use rstest::rstest;
use socket2::{Domain, Socket, Type};

use super::LIMIT;

const SMALL: usize = 16;

/// For a large message there is not always room when there is for a small one, which must not take its turn.
#[rstest]
fn a_small_message_does_not_overtake_a_large_one(
    #[values(Type::SEQPACKET, Type::DGRAM)] kind: Type,
    #[values(ZcPolicy::Never, ZcPolicy::Always)] policy: ZcPolicy,
) {
    let (near, far) = Socket::pair(Domain::UNIX, kind, None).unwrap();
    near.set_send_buffer_size(1 << 14).unwrap();
    // It receives messages of either kind.
    let far = UnixDatagram::from(OwnedFd::from(far));
    far.set_nonblocking(true).unwrap();
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.tx_pool(60, 1 << 13).unwrap();
    let socket = ring.add(near).unwrap();
    for nth in 0..60_u8 {
        let mut buf = pool.take().unwrap();
        buf.fill(nth);
        if nth % 3 == 2 {
            buf.set_len(SMALL).unwrap();
        }
        ring.send(socket, buf, policy).unwrap();
    }
    let mut sent = 0;
    let mut got = Vec::new();
    let mut bytes = [0; 1 << 13];
    ring.poll(Wait::No, |event| sent += count(&event)).unwrap();
    while got.len() < 60 {
        // One at a time, so that there is seldom room for much.
        match far.recv(&mut bytes) {
            Ok(len) => {
                let want = if bytes[0] % 3 == 2 { SMALL } else { 1 << 13 };
                assert_eq!(len, want);
                got.push(bytes[0]);
                ring.poll(Wait::No, |event| sent += count(&event)).unwrap();
            }
            Err(_) => {
                ring.poll(LIMIT, |event| sent += count(&event)).unwrap();
            }
        }
    }
    while ring.in_flight() > 0 {
        ring.poll(LIMIT, |event| sent += count(&event)).unwrap();
    }
    assert!(got.iter().copied().eq(0..60), "{got:?}");
    assert_eq!(sent, 60);
}

fn count(event: &Event<'_>) -> u32 {
    match event {
        Event::Sent { result, .. } => {
            assert!(result.is_ok(), "{result:?}");
            1
        }
        _ => 0,
    }
}
