//! Waiting in a tokio runtime, and giving up at any point.

use std::collections::VecDeque;
use std::future::Future;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::*;
use crate::{Arm, AsyncCompChannel, AsyncCq, Completions};

const LONG: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(1);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Fails when it takes too long: what does not wake is lost.
fn within<R>(body: impl Future<Output = R>) -> R {
    runtime().block_on(async { timeout(LONG, body).await.expect("it never woke") })
}

fn async_cq(rig: &Rig) -> AsyncCq {
    AsyncCq::new(rig.context.create_cq_with_events(32).unwrap()).unwrap()
}

fn taken(qp: &mut Qp<Rc, Rts>, completions: Completions<'_>, tokens: &mut Vec<u64>) {
    for mut completion in completions {
        while let Some(done) = qp.complete(&mut completion).unwrap() {
            done.check().unwrap();
            tokens.push(done.token);
        }
    }
}

#[test]
fn what_came_before_is_not_waited_for() {
    let rig = Rig::new();
    within(async {
        let mut cq = async_cq(&rig);
        let mut qp = connected(&rig.pd, cq.cq(), DEPTH);
        qp.post_send(rig.buf(), 7).unwrap();
        rig.fake.complete(Queue::Send, 0, 0);
        let mut tokens = Vec::new();
        taken(&mut qp, cq.poll().await.unwrap(), &mut tokens);
        assert_eq!(tokens, [7]);
    });
}

#[test]
fn what_comes_later_wakes_the_task() {
    let rig = Rig::new();
    within(async {
        let mut cq = async_cq(&rig);
        let mut qp = connected(&rig.pd, cq.cq(), DEPTH);
        for round in 0..200 {
            qp.post_recv(rig.buf(), round).unwrap();
            let fake = rig.fake.clone();
            let device = thread::spawn(move || fake.complete(Queue::Recv, 0, 0));
            let mut tokens = Vec::new();
            taken(&mut qp, cq.poll().await.unwrap(), &mut tokens);
            assert_eq!(tokens, [round]);
            device.join().unwrap();
        }
    });
}

/// A few steps of the runtime, in which a waiting task may or may not be woken.
async fn steps(count: u32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

#[test]
fn thousands_of_futures_dropped_anywhere_lose_nothing() {
    const MESSAGES: u64 = 1_000;
    let rig = Rig::new();
    let fake = rig.fake.clone();
    let (posted, to_complete) = std::sync::mpsc::sync_channel(4);
    // The device ends work when it likes.
    let device = thread::spawn(move || {
        for (nth, ()) in to_complete.iter().enumerate() {
            if nth % 3 == 0 {
                thread::yield_now();
            }
            fake.complete_oldest(Queue::Recv, 0);
        }
    });
    let dropped = within(async {
        let mut cq = async_cq(&rig);
        let mut qp = connected(&rig.pd, cq.cq(), DEPTH);
        let (mut next, mut tokens, mut dropped) = (0, Vec::new(), 0_u64);
        let mut seed = 1_u32;
        while tokens.len() < usize::try_from(MESSAGES).unwrap() {
            while next < MESSAGES && qp.in_flight(Queue::Recv) < 4 {
                qp.post_recv(rig.buf(), next).unwrap();
                posted.send(()).unwrap();
                next += 1;
            }
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            tokio::select! {
                biased;
                completions = cq.poll() => {
                    let completions = completions.unwrap();
                    // Now and then all but one are left for the next future.
                    let some = if seed >> 31 == 0 { 1 } else { usize::MAX };
                    for mut completion in completions.take(some) {
                        while let Some(done) = qp.complete(&mut completion).unwrap() {
                            tokens.push(done.token);
                        }
                    }
                }
                () = steps((seed >> 16) % 4) => dropped += 1,
            }
        }
        assert_eq!(tokens, (0..MESSAGES).collect::<Vec<_>>());
        assert_eq!(qp.in_flight(Queue::Recv), 0);
        dropped
    });
    drop(posted);
    device.join().unwrap();
    assert!(dropped > 100, "only {dropped} were dropped");
    assert_eq!(rig.free_slots(), 16);
}

#[test]
fn one_that_is_dropped_after_it_armed_leaves_its_event_to_the_next() {
    let rig = Rig::new();
    within(async {
        let mut cq = async_cq(&rig);
        let mut qp = connected(&rig.pd, cq.cq(), DEPTH);
        for token in 0..100 {
            assert!(timeout(Duration::ZERO, cq.poll()).await.is_err());
            qp.post_send(rig.buf(), token).unwrap();
            rig.fake.complete(Queue::Send, 0, 0);
            // Polled without waiting: the event is still there.
            let mut tokens = Vec::new();
            taken(&mut qp, cq.poll().await.unwrap(), &mut tokens);
            assert_eq!(tokens, [token]);
            assert!(rig.fake.unfetched_events() <= 1);
        }
        assert!(timeout(SHORT, cq.poll()).await.is_err());
    });
}

#[test]
fn a_queue_is_polled_outside_the_runtime_when_it_has_left_it() {
    let rig = Rig::new();
    let mut cq = within(async { async_cq(&rig).into_inner() });
    let mut qp = connected(&rig.pd, &cq, DEPTH);
    qp.post_send(rig.buf(), 3).unwrap();
    rig.fake.complete(Queue::Send, 0, 0);
    let mut tokens = Vec::new();
    taken(&mut qp, cq.wait(LONG).unwrap(), &mut tokens);
    assert_eq!(tokens, [3]);
}

#[test]
fn one_channel_serves_several_queues() {
    let rig = Rig::new();
    within(async {
        let channel = rig.context.create_comp_channel().unwrap();
        let mut cqs = [(); 2].map(|()| rig.context.create_cq_on(8, &channel).unwrap());
        let mut qps = [0, 1].map(|n| connected(&rig.pd, &cqs[n], DEPTH));
        let channel = AsyncCompChannel::new(channel).unwrap();
        cqs.iter_mut().for_each(|cq| cq.arm(Arm::Any).unwrap());
        assert!(timeout(SHORT, channel.next_event()).await.is_err());
        let mut waiting = VecDeque::from([1, 0]);
        while let Some(n) = waiting.pop_front() {
            qps[n].post_send(rig.buf(), 1).unwrap();
            rig.fake.complete(Queue::Send, 0, 0);
            assert_eq!(channel.next_event().await.unwrap(), cqs[n].number());
        }
    });
}

#[test]
fn a_queue_without_a_channel_or_with_a_shared_one_is_refused() {
    let rig = Rig::new();
    within(async {
        let silent = rig.context.create_cq(8).unwrap();
        assert!(matches!(AsyncCq::new(silent), Err(Error::NoChannel)));
        let channel = rig.context.create_comp_channel().unwrap();
        let shared = || rig.context.create_cq_on(8, &channel).unwrap();
        let first = AsyncCq::new(shared()).unwrap();
        let error = AsyncCq::new(shared()).unwrap_err();
        let Error::Verb { source, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(source.raw_os_error(), Some(libc::EEXIST));
        drop(first);
    });
}

#[test]
fn futures_may_be_sent_to_other_threads() {
    fn sendable<T: Send>(_: &T) {}
    let rig = Rig::new();
    within(async {
        let mut cq = async_cq(&rig);
        sendable(&cq.poll());
        sendable(&cq);
    });
}
