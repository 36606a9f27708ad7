//! The descriptor of a ring: readable when there is something to tell, whoever waits for it and how.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use netprims::ring::{Event, PollableRing, Strays, Wait};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rstest::rstest;

use super::streams::{plan, write_stream, wrong};
use super::{Kind, LIMIT, PATIENCE, tcp};

/// Polls once the descriptor says that there is something, until there is.
fn next(ring: &mut PollableRing, mut handler: impl FnMut(Event<'_>)) -> usize {
    loop {
        let told = ring.poll(Wait::No, &mut handler).unwrap();
        if told > 0 {
            return told;
        }
        let time = PollTimeout::try_from(PATIENCE).unwrap();
        let mut fds = [PollFd::new(ring.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, time), Ok(1), "it never became readable");
    }
}

#[rstest]
fn it_is_readable_for_every_timeout(#[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind) {
    let mut ring = kind.builder().build().unwrap().pollable().unwrap();
    for nth in 0..500_u64 {
        ring.timeout(Duration::from_micros(nth % 60)).unwrap();
        assert_eq!(next(&mut ring, |_| ()), 1);
    }
    assert_eq!((ring.in_flight(), ring.strays()), (0, Strays::default()));
}

#[rstest]
fn it_is_readable_for_work_put_off(#[values(Kind::Plain, Kind::Thread)] kind: Kind) {
    // More at a time than the kernel does at a time.
    const COUNT: usize = 200;
    let mut ring = kind.builder().build().unwrap().pollable().unwrap();
    for _ in 0..20 {
        for _ in 0..COUNT {
            ring.timeout(Duration::from_micros(300)).unwrap();
        }
        let mut told = 0;
        while told < COUNT {
            told += next(&mut ring, |_| ());
        }
    }
}

#[rstest]
fn it_is_readable_for_every_connection(
    #[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind,
) {
    const COUNT: usize = 500;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connecting = thread::spawn(move || {
        for _ in 0..COUNT {
            let stream = TcpStream::connect(address).unwrap();
            let reset = Some(Duration::ZERO);
            socket2::SockRef::from(&stream).set_linger(reset).unwrap();
        }
    });
    let mut ring = kind.builder().build().unwrap().pollable().unwrap();
    let listener = ring.add(listener).unwrap();
    ring.accept(listener).unwrap();
    let mut accepted = 0;
    while accepted < COUNT {
        accepted += next(&mut ring, |event| {
            assert!(matches!(event, Event::Accepted { .. }), "{event:?}");
        });
    }
    connecting.join().unwrap();
}

#[test]
fn with_nothing_to_tell_it_is_not_readable() {
    let mut ring = Kind::Plain.builder().build().unwrap().pollable().unwrap();
    ring.timeout(Duration::ZERO).unwrap();
    next(&mut ring, |_| ());
    ring.poll(Wait::No, |event| panic!("{event:?}")).unwrap();
    let mut fds = [PollFd::new(ring.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::ZERO), Ok(0));
}

#[test]
fn a_ring_can_be_made_pollable_again() {
    let ring = Kind::Plain.builder().build().unwrap();
    let ring = ring.pollable().unwrap().into_inner();
    let mut ring = ring.pollable().unwrap();
    ring.timeout(Duration::ZERO).unwrap();
    next(&mut ring, |_| ());
    let mut ring = ring.into_inner();
    ring.timeout(Duration::ZERO).unwrap();
    assert_eq!(ring.poll(LIMIT, |_| ()).unwrap(), 1);
}

#[rstest]
fn it_is_readable_when_memory_comes_back_that_a_receive_waits_for(
    #[values(Kind::Plain, Kind::Thread)] kind: Kind,
    #[values("plain", "multishot", "bundles")] way: &str,
) {
    const TOTAL: usize = 200_000;
    let (near, far) = tcp();
    let mut ring = kind.builder().build().unwrap().pollable().unwrap();
    let pool = ring.rx_pool(&plan(way, 2, 500)).unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &pool).unwrap();
    let writing = write_stream(far, TOTAL);
    let (give_back, kept) = mpsc::channel();
    let dropping = thread::spawn(move || kept.into_iter().for_each(drop));
    let (mut got, mut is_over, mut all) = (0, false, Vec::new());
    while !is_over {
        let told = ring.poll(Wait::No, |event| match event {
            Event::Received { chunk, .. } => {
                let kept = chunk.detach();
                assert_eq!(wrong(got, &kept), 0);
                got += kept.len();
                all.push(kept);
            }
            Event::ReceiveEnded { .. } => is_over = true,
            other => panic!("{other:?}"),
        });
        if told.unwrap() == 0 {
            // Nothing is left to receive into, and the ring has seen that: only this wakes it.
            all.drain(..).for_each(|kept| give_back.send(kept).unwrap());
            let time = PollTimeout::try_from(PATIENCE).unwrap();
            let mut fds = [PollFd::new(ring.as_fd(), PollFlags::POLLIN)];
            assert_eq!(poll(&mut fds, time), Ok(1), "it never became readable");
        }
    }
    drop(all);
    drop(give_back);
    dropping.join().unwrap();
    writing.join().unwrap();
    assert_eq!((got, pool.outstanding()), (TOTAL, 0));
    // The kernel's thread may be slower than who gives back.
    assert!(kind == Kind::Thread || pool.stats().starved > 0);
}

#[rstest]
#[case::some_time(Wait::AtMost(Duration::from_millis(1)))]
#[case::for_several(Wait::Gather { events: 2, within: Duration::from_millis(1), limit: Duration::from_millis(1) })]
fn it_is_readable_for_memory_also_after_a_wait_that_told_nothing(#[case] wait: Wait) {
    let (near, mut far) = tcp();
    let mut ring = Kind::Plain.builder().build().unwrap().pollable().unwrap();
    let pool = ring.rx_pool(&plan("multishot", 1, 500)).unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &pool).unwrap();
    far.write_all(&[7; 500]).unwrap();
    let mut kept = None;
    while kept.is_none() {
        next(&mut ring, |event| match event {
            Event::Received { chunk, .. } => kept = Some(chunk.detach()),
            other => panic!("{other:?}"),
        });
    }
    far.write_all(&[8; 500]).unwrap();
    while pool.stats().starved == 0 {
        assert_eq!(
            ring.poll(wait, |_| panic!("there is no memory")).unwrap(),
            0
        );
    }
    // Whatever was left to do is done, and the ring waits for memory alone.
    while ring.poll(wait, |_| panic!("there is no memory")).unwrap() == 0 {
        let mut fds = [PollFd::new(ring.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::ZERO).unwrap() == 0 {
            break;
        }
    }
    thread::spawn(|| drop(kept)).join().unwrap();
    let mut got = 0;
    next(&mut ring, |event| match event {
        Event::Received { chunk, .. } => got += chunk.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(got, 500);
}
