//! A ring in a tokio runtime: it is woken for every event, and a future that is dropped loses none.

use std::future::Future;
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use netprims::ring::{AsyncRing, Event, Strays};
use rstest::rstest;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};

use super::streams::{plan, write_stream, wrong};
use super::{Kind, PATIENCE, tcp};

/// Runs on a thread of its own, so that a ring that is never woken fails the test.
fn in_time<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || tell.send(body()));
    let answer = told.recv_timeout(PATIENCE);
    if let Err(mpsc::RecvTimeoutError::Disconnected) = answer {
        std::panic::resume_unwind(thread.join().unwrap_err());
    }
    answer.expect("the ring was not woken")
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_io().build().unwrap()
}

#[rstest]
fn it_is_woken_for_every_timeout(#[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind) {
    let told = in_time(move || {
        runtime().block_on(async move {
            let mut ring = AsyncRing::new(kind.builder().build().unwrap()).unwrap();
            let mut told = 0;
            for nth in 0..1000_u64 {
                // Some are over before the runtime can sleep, some while it falls asleep, some long after.
                ring.timeout(Duration::from_micros(nth % 60)).unwrap();
                while ring.in_flight() > 0 {
                    told += ring.poll(|_| ()).await.unwrap();
                }
            }
            assert_eq!(ring.strays(), Strays::default());
            told
        })
    });
    assert_eq!(told, 1000);
}

#[rstest]
fn it_is_woken_for_every_connection(#[values(Kind::Plain, Kind::Thread, Kind::Files)] kind: Kind) {
    const COUNT: usize = 700;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connecting = thread::spawn(move || {
        for nth in 0..COUNT {
            let stream = TcpStream::connect(address).unwrap();
            // Reset at close: nothing is left in TIME_WAIT.
            socket2::SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            if nth % 7 == 0 {
                thread::sleep(Duration::from_micros(200));
            }
        }
    });
    let accepted = in_time(move || {
        let local = LocalSet::new();
        local.block_on(&runtime(), async move {
            // Others run beside it.
            let beside = spawn_local(async {
                loop {
                    yield_now().await;
                }
            });
            let driven = spawn_local(async move {
                let mut ring = AsyncRing::new(kind.builder().build().unwrap()).unwrap();
                let listener = ring.add(listener).unwrap();
                ring.accept(listener).unwrap();
                let mut accepted = 0;
                while accepted < COUNT {
                    let count = |event: Event<'_>| match event {
                        Event::Accepted { .. } => accepted += 1,
                        other => panic!("{other:?}"),
                    };
                    ring.poll(count).await.unwrap();
                }
                accepted
            });
            let accepted = driven.await.unwrap();
            beside.abort();
            accepted
        })
    });
    connecting.join().unwrap();
    assert_eq!(accepted, COUNT);
}

#[test]
fn a_future_that_is_dropped_loses_no_event() {
    let told = in_time(|| {
        runtime().block_on(async {
            let mut ring = AsyncRing::new(Kind::Plain.builder().build().unwrap()).unwrap();
            let mut told = 0;
            for nth in 0..500_u64 {
                ring.timeout(Duration::from_micros(nth % 100)).unwrap();
                // Polled once, which may tell it or wait for it, and dropped.
                {
                    let mut polled = pin!(ring.poll(|_| told += 1));
                    let mut context = Context::from_waker(Waker::noop());
                    if let Poll::Ready(events) = polled.as_mut().poll(&mut context) {
                        events.unwrap();
                    }
                }
                // The runtime may see the readiness in between.
                yield_now().await;
                while ring.in_flight() > 0 {
                    ring.poll(|_| told += 1).await.unwrap();
                }
            }
            told
        })
    });
    assert_eq!(told, 500);
}

#[test]
fn with_nothing_in_flight_it_does_not_wait() {
    in_time(|| {
        runtime().block_on(async {
            let mut ring = AsyncRing::new(Kind::Plain.builder().build().unwrap()).unwrap();
            assert_eq!(ring.poll(|_| ()).await.unwrap(), 0);
            let mut ring = ring.into_inner();
            ring.timeout(Duration::ZERO).unwrap();
            assert_eq!(ring.poll(super::LIMIT, |_| ()).unwrap(), 1);
        });
    });
}

#[test]
fn a_ring_that_is_always_ready_lets_others_run() {
    in_time(|| {
        let local = LocalSet::new();
        local.block_on(&runtime(), async {
            let (tell, told) = mpsc::channel();
            let busy = spawn_local(async move {
                let mut ring = AsyncRing::new(Kind::Plain.builder().build().unwrap()).unwrap();
                // Ends only if the other task runs.
                while told.try_recv().is_err() {
                    ring.timeout(Duration::ZERO).unwrap();
                    ring.poll(|_| ()).await.unwrap();
                }
            });
            let other = spawn_local(async move { tell.send(()).unwrap() });
            busy.await.unwrap();
            other.await.unwrap();
        });
    });
}

#[rstest]
fn it_is_woken_when_memory_comes_back_that_a_receive_waits_for(
    #[values(Kind::Plain, Kind::Thread)] kind: Kind,
    #[values("plain", "multishot", "bundles")] way: &'static str,
) {
    const TOTAL: usize = 200_000;
    let (near, far) = tcp();
    let writing = write_stream(far, TOTAL);
    let (give_back, kept) = mpsc::channel();
    let dropping = thread::spawn(move || kept.into_iter().for_each(drop));
    in_time(move || {
        runtime().block_on(async move {
            let mut ring = AsyncRing::new(kind.builder().build().unwrap()).unwrap();
            let pool = ring.rx_pool(&plan(way, 2, 500)).unwrap();
            let socket = ring.add(near).unwrap();
            ring.receive(socket, &pool).unwrap();
            let (mut got, mut is_over) = (0, false);
            while !is_over {
                let told = ring.poll(|event| match event {
                    Event::Received { chunk, .. } => {
                        let kept = chunk.detach();
                        assert_eq!(wrong(got, &kept), 0);
                        got += kept.len();
                        give_back.send(kept).unwrap();
                    }
                    Event::ReceiveEnded { .. } => is_over = true,
                    other => panic!("{other:?}"),
                });
                told.await.unwrap();
            }
            assert_eq!(got, TOTAL);
        });
    });
    dropping.join().unwrap();
    writing.join().unwrap();
}
