//! Waiting for completions.

use std::thread;
use std::time::Duration;

use super::*;
use crate::Arm;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(1);

#[test]
fn what_came_before_is_not_waited_for() {
    let rig = Rig::new();
    let mut cq = rig.context.create_cq_with_events(32).unwrap();
    let mut qp = connected(&rig.pd, &cq, DEPTH);
    qp.post_send(rig.buf(), 7).unwrap();
    rig.fake.complete(Queue::Send, 0, 0);
    let mut completions = cq.wait(LONG).unwrap();
    let done = qp.complete(&mut completions.next().unwrap()).unwrap();
    assert_eq!(done.unwrap().token, 7);
}

#[test]
fn what_comes_later_wakes_the_waiter() {
    let rig = Rig::new();
    let mut cq = rig.context.create_cq_with_events(32).unwrap();
    let mut qp = connected(&rig.pd, &cq, DEPTH);
    for round in 0..100 {
        qp.post_recv(rig.buf(), round).unwrap();
        let fake = rig.fake.clone();
        let device = thread::spawn(move || fake.complete(Queue::Recv, 0, 0));
        let mut tokens = Vec::new();
        while tokens.is_empty() {
            for mut completion in cq.wait(LONG).unwrap() {
                tokens.extend(qp.complete(&mut completion).unwrap().map(|done| done.token));
            }
        }
        assert_eq!(tokens, [round]);
        device.join().unwrap();
    }
}

#[test]
fn a_wait_ends_when_its_time_is_over() {
    let rig = Rig::new();
    let mut cq = rig.context.create_cq_with_events(32).unwrap();
    assert_eq!(cq.wait(SHORT).unwrap().len(), 0);
    assert_eq!(cq.wait(Duration::ZERO).unwrap().len(), 0);
}

#[test]
fn one_channel_says_which_of_its_queues_has_something() {
    let rig = Rig::new();
    let channel = rig.context.create_comp_channel().unwrap();
    let mut cqs = [(); 2].map(|()| rig.context.create_cq_on(8, &channel).unwrap());
    let mut qps = [0, 1].map(|n| connected(&rig.pd, &cqs[n], DEPTH));
    cqs.iter_mut().for_each(|cq| cq.arm(Arm::Any).unwrap());
    assert_eq!(channel.next_event().unwrap(), None);
    qps[1].post_send(rig.buf(), 1).unwrap();
    rig.fake.complete(Queue::Send, 0, 0);
    assert_eq!(channel.wait(LONG).unwrap(), Some(cqs[1].number()));
    assert_eq!(channel.wait(SHORT).unwrap(), None, "said once");
    assert_ne!(cqs[0].number(), cqs[1].number());
}

#[test]
fn an_event_that_nobody_fetched_is_in_nobodys_way() {
    let rig = Rig::new();
    let channel = rig.context.create_comp_channel().unwrap();
    let mut cq = rig.context.create_cq_on(8, &channel).unwrap();
    let mut qp = connected(&rig.pd, &cq, DEPTH);
    cq.arm(Arm::Any).unwrap();
    qp.post_send(rig.buf(), 1).unwrap();
    rig.fake.complete(Queue::Send, 0, 0);
    drop((qp, cq));
    assert!(channel.next_event().unwrap().is_some());
    drop(channel);
    assert_eq!(rig.fake.state().count("destroy_channel"), 1);
}

#[test]
fn a_queue_without_a_channel_says_so() {
    let mut rig = Rig::new();
    assert!(matches!(rig.cq.arm(Arm::Any), Err(Error::NoChannel)));
    assert!(matches!(rig.cq.wait(SHORT), Err(Error::NoChannel)));
    let channel = Rig::new().context.create_comp_channel().unwrap();
    assert!(matches!(
        rig.context.create_cq_on(8, &channel),
        Err(Error::OtherChannel)
    ));
}
