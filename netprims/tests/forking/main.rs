//! What a forked child has of pools, senders and rings: nothing that it could spoil.
//!
//! It has no harness: only the child of a process with one thread can run any code.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use netprims::buffer::{TxBuf, TxPool, Usage};
use netprims::zerocopy::{Event, Sent, ZeroCopyOptions};
use socket2::SockRef;
use sys::child::in_a_forked_child;

#[expect(unsafe_code, reason = "forks")]
mod sys {
    pub(crate) mod child;
}

const PATIENCE: Duration = Duration::from_secs(60);
const SLOT: u32 = 60_000;

const TESTS: &[(&str, fn())] = &[
    (
        "a_forked_childs_pool_is_memory_of_its_own",
        a_forked_childs_pool_is_memory_of_its_own,
    ),
    (
        "a_forked_child_takes_nothing_from_its_parents_sender",
        a_forked_child_takes_nothing_from_its_parents_sender,
    ),
    (
        "what_is_in_flight_when_a_process_forks_is_sent_as_it_was",
        what_is_in_flight_when_a_process_forks_is_sent_as_it_was,
    ),
    #[cfg(feature = "ring")]
    (
        "a_forked_child_can_neither_use_its_parents_ring_nor_spoil_it",
        a_forked_child_can_neither_use_its_parents_ring_nor_spoil_it,
    ),
    #[cfg(feature = "ring")]
    (
        "a_forked_child_sees_nothing_of_what_its_parent_receives",
        a_forked_child_sees_nothing_of_what_its_parent_receives,
    ),
];

/// As the usual harness: lists or runs the tests whose names contain, or are, one of the arguments, or all. A failure is a
/// panic.
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|word| word == flag);
    let words = arguments
        .iter()
        .filter(|word| !word.starts_with('-') && *word != "terse");
    let wanted: Vec<_> = words.collect();
    let is_wanted = |name: &str| match has("--exact") {
        true => wanted.iter().any(|word| *word == name),
        false => wanted.is_empty() || wanted.iter().any(|word| name.contains(*word)),
    };
    let tests = || TESTS.iter().filter(|(name, _)| is_wanted(name));
    if !has("--list") {
        let count = tests().count();
        println!(
            "\nrunning {count} test{}",
            if count == 1 { "" } else { "s" }
        );
    }
    for (name, test) in tests() {
        if has("--list") {
            println!("{name}: test");
            continue;
        }
        print!("test {name} ... ");
        std::io::stdout().flush().unwrap();
        test();
        println!("ok");
    }
    if !has("--list") {
        let passed = tests().count();
        let others = TESTS.len() - passed;
        println!(
            "\ntest result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; {others} filtered out; finished in 0.00s\n"
        );
    }
}

fn udp() -> (UdpSocket, UdpSocket) {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    (near, far)
}

fn filled(pool: &TxPool, byte: u8) -> TxBuf {
    let mut buf = pool.take().unwrap();
    buf.fill(byte);
    buf
}

fn a_forked_childs_pool_is_memory_of_its_own() {
    let pool = TxPool::new(64, 65_536).unwrap();
    let mut buf = filled(&pool, 7);
    in_a_forked_child(|| {
        assert!(buf.iter().all(|byte| *byte == 0), "a fresh page");
        // Were the pool's range free, the allocator's next mappings would lie there.
        let others: Vec<_> = (1..8).map(|mib| vec![1_u8; mib << 20]).collect();
        while let Some(mut buf) = pool.take() {
            buf.fill(9);
            std::mem::forget(buf);
        }
        buf.fill(9);
        drop((buf, pool));
        assert!(others.iter().flatten().all(|byte| *byte == 1));
    });
}

fn a_forked_child_takes_nothing_from_its_parents_sender() {
    let (near, far) = udp();
    let pool = TxPool::new(4, SLOT).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    let Ok(Sent::InFlight { ticket, .. }) = sender.send(filled(&pool, 1)) else {
        panic!("{sender:?}")
    };
    far.recv(&mut [0; SLOT as usize]).unwrap();
    let spare = filled(&pool, 2);
    // The notification is there, and the child is not to have it.
    assert!(sender.wait(Some(PATIENCE)).unwrap());
    let mut sender = Some(sender);
    in_a_forked_child(|| {
        let mut sender = sender.take().unwrap();
        let error = sender.reap(drop).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        let refused = sender.send(spare).unwrap_err();
        assert_eq!(refused.error.raw_os_error(), Some(libc::EBADF));
        drop(sender);
    });
    let mut sender = sender.unwrap();
    let mut released = Vec::new();
    sender
        .reap(|event| match event {
            Event::Released { ticket, usage, .. } => released.push((ticket, usage)),
            other => panic!("{other:?}"),
        })
        .unwrap();
    assert_eq!(released, [(ticket, Usage::Copied)]);
    assert_eq!(sender.totals().strays, 0);
}

fn what_is_in_flight_when_a_process_forks_is_sent_as_it_was() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    SockRef::from(&near).set_send_buffer_size(1 << 20).unwrap();
    let pool = TxPool::new(8, SLOT).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    let Ok(Sent::InFlight { unsent, .. }) = sender.send(filled(&pool, 1)) else {
        panic!("{sender:?}")
    };
    let sent = SLOT as usize - unsent;
    in_a_forked_child(|| {
        while let Some(mut buf) = pool.take() {
            buf.fill(0xee);
            std::mem::forget(buf);
        }
    });
    let mut got = vec![0; sent];
    far.read_exact(&mut got).unwrap();
    assert!(got.iter().all(|byte| *byte == 1));
    drop((far, sender));
}

#[cfg(feature = "ring")]
fn a_forked_child_can_neither_use_its_parents_ring_nor_spoil_it() {
    use netprims::ring::{Ring, ZcPolicy};

    let ring = Ring::builder().build().unwrap();
    let (near, far) = udp();
    let linger = Some(Duration::from_secs(1));
    SockRef::from(&near).set_linger(linger).unwrap();
    let mut held = Some((ring, near));
    in_a_forked_child(|| {
        let (mut ring, near) = held.take().unwrap();
        let others: Vec<_> = (0..64).map(|_| vec![1_u8; 1 << 20]).collect();
        ring.tx_pool(4, SLOT).unwrap_err();
        let _ = ring.add(near);
        drop(ring);
        assert!(others.iter().flatten().all(|byte| *byte == 1));
    });
    let (mut ring, near) = held.unwrap();
    assert_eq!(SockRef::from(&near).linger().unwrap(), linger);
    let pool = ring.tx_pool(4, SLOT).unwrap();
    let socket = ring.add(near).unwrap();
    ring.send(socket, filled(&pool, 5), ZcPolicy::Never)
        .unwrap();
    ring.poll(netprims::ring::Wait::AtMost(PATIENCE), |_| {})
        .unwrap();
    let mut got = [0; SLOT as usize];
    assert_eq!(far.recv(&mut got).unwrap(), SLOT as usize);
    assert!(got.iter().all(|byte| *byte == 5));
}

#[cfg(feature = "ring")]
fn a_forked_child_sees_nothing_of_what_its_parent_receives() {
    use netprims::ring::{Event, Ring, Rung, RxBuf, RxPlan, Wait, leaked_bytes};

    let plan = RxPlan::new(2, 4096);
    for plan in [plan.clone(), plan.at_most(Rung::Plain)] {
        let (near, far) = udp();
        far.connect(near.local_addr().unwrap()).unwrap();
        let mut ring = Ring::builder().build().unwrap();
        let pool = ring.rx_pool(&plan).unwrap();
        let socket = ring.add(near).unwrap();
        ring.receive(socket, &pool).unwrap();
        let receive = |ring: &mut Ring, byte: u8| {
            far.send(&[byte; 100]).unwrap();
            let mut kept: Option<RxBuf> = None;
            while kept.is_none() {
                ring.poll(Wait::AtMost(PATIENCE), |event| match event {
                    Event::Received { chunk, .. } => kept = Some(chunk.detach()),
                    other => panic!("{other:?}"),
                })
                .unwrap();
            }
            kept.unwrap()
        };
        let kept = receive(&mut ring, 7);
        // In flight, and armed again.
        ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
        let mut held = Some((ring, pool, kept));
        in_a_forked_child(|| {
            let (mut ring, pool, kept) = held.take().unwrap();
            assert!(kept.iter().all(|byte| *byte == 0), "a fresh page");
            let error = ring.poll(Wait::No, |_| ()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            drop((kept, pool, ring));
        });
        let before = leaked_bytes();
        let (mut ring, pool, kept) = held.unwrap();
        assert!(kept.iter().all(|byte| *byte == 7));
        drop(kept);
        for byte in 0..20 {
            assert!(*receive(&mut ring, byte) == [byte; 100]);
        }
        assert_eq!(pool.outstanding(), 0);
        drop((ring, pool));
        assert_eq!(leaked_bytes(), before);
    }
}
