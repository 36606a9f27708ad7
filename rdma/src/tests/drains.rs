//! Every buffer comes back from a queue pair that is drained, whatever the device does.

use std::time::{Duration, Instant};

use rstest::rstest;

use super::*;
use crate::WcStatus;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// A queue pair with two sends and three receives in flight.
fn busy(rig: &Rig) -> Qp<Rc, Rts> {
    let mut qp = rig.qp();
    for token in 0..3 {
        qp.post_recv(rig.buf(), token).unwrap();
    }
    for token in 10..12 {
        qp.post(Wr::send(rig.buf()).unsignalled(), token).unwrap();
    }
    qp
}

#[test]
fn what_is_flushed_comes_by_its_completions_and_nobody_waits_longer() {
    let mut rig = Rig::new();
    let qp = busy(&rig).stop().unwrap();
    rig.fake.state().flush();
    let start = Instant::now();
    let drained = qp.drain(&mut [&mut rig.cq], LONG, |_| panic!("another's"));
    drained.outcome.unwrap();
    assert!(start.elapsed() < LONG);
    assert_eq!(tokens(&drained.done, Queue::Recv), [0, 1, 2]);
    assert_eq!(tokens(&drained.done, Queue::Send), [10, 11]);
    assert!(
        drained
            .done
            .iter()
            .all(|done| done.status == WcStatus::Flushed)
    );
    assert!(drained.returned.is_empty());
    assert_eq!(rig.fake.state().count("destroy_qp"), 1);
}

#[rstest]
#[case::at_once(Duration::ZERO)]
#[case::for_a_while(Duration::from_millis(20))]
fn what_never_completes_comes_back_once_the_time_is_over(#[case] limit: Duration) {
    let mut rig = Rig::new();
    let qp = busy(&rig).stop().unwrap();
    // As a receive that was posted to a queue pair that had failed: no completion ever.
    let first = rig.fake.posted(Queue::Recv)[0];
    rig.fake.state().report(first, 5);
    let start = Instant::now();
    let drained = qp.drain(&mut [&mut rig.cq], limit, |_| panic!("another's"));
    drained.outcome.unwrap();
    assert!(start.elapsed() >= limit);
    assert_eq!(tokens(&drained.done, Queue::Recv), [0]);
    let back: Vec<_> = drained
        .returned
        .iter()
        .map(|one| (one.queue, one.token))
        .collect();
    let expected = [
        (Queue::Send, 10),
        (Queue::Send, 11),
        (Queue::Recv, 1),
        (Queue::Recv, 2),
    ];
    assert_eq!(back, expected);
    assert!(
        drained
            .returned
            .iter()
            .all(|one| one.bufs.as_slice().len() == 1)
    );
    assert_eq!(rig.fake.state().count("destroy_qp"), 1);
}

#[test]
fn completions_of_others_are_handed_on() {
    let mut rig = Rig::new();
    let (qp, mut other) = (busy(&rig).stop().unwrap(), rig.qp());
    other.post_send(rig.buf(), 7).unwrap();
    rig.fake.state().flush();
    let mut handed_on = Vec::new();
    let drained = qp.drain(&mut [&mut rig.cq], LONG, |mut completion| {
        handed_on.extend(other.complete(&mut completion).unwrap());
    });
    drained.outcome.unwrap();
    assert_eq!(
        (drained.done.len(), tokens(&handed_on, Queue::Send)),
        (5, vec![7])
    );
}

/// The other queue pair always has more.
#[test]
fn completions_of_others_without_end_do_not_make_the_limit_longer() {
    let mut rig = Rig::new();
    let qp = busy(&rig).stop().unwrap();
    let mut other = rig.qp();
    let mut next = 0;
    other.post_send(rig.buf(), next).unwrap();
    let newest = |rig: &Fake| *rig.posted(Queue::Send).last().unwrap();
    let fake = rig.fake.clone();
    let sent = newest(&fake);
    fake.state().report(sent, 0);
    let drained = qp.drain(
        &mut [&mut rig.cq],
        Duration::from_millis(5),
        |mut completion| {
            let done = other.complete(&mut completion).unwrap().unwrap();
            next += 1;
            let buf = done.bufs.into_one().unwrap();
            other.post_send(buf, next).unwrap();
            let sent = newest(&fake);
            fake.state().report(sent, 0);
        },
    );
    drained.outcome.unwrap();
    assert_eq!((drained.done.len(), drained.returned.len()), (0, 5));
    assert!(next > 0);
}

#[test]
fn one_that_was_poisoned_before_says_so_and_is_not_waited_for() {
    let mut rig = Rig::new();
    let mut qp = busy(&rig);
    let first = rig.fake.posted(Queue::Recv)[0];
    for _ in 0..2 {
        rig.fake.state().report(first, 0);
    }
    let mut poisoned = false;
    for mut completion in rig.cq.poll().unwrap() {
        poisoned |= qp.complete(&mut completion).is_err();
    }
    assert!(poisoned);
    let start = Instant::now();
    let drained = qp.stop().unwrap().drain(&mut [&mut rig.cq], LONG, |_| ());
    assert!(matches!(drained.outcome, Err(Error::QpPoisoned { .. })));
    assert!(start.elapsed() < LONG && drained.returned.is_empty());
}

#[test]
fn both_queues_are_polled() {
    let mut rig = Rig::new();
    let mut recv_cq = rig.context.create_cq(8).unwrap();
    let qp = rig.pd.create_rc(&rig.cq, &recv_cq, DEPTH).unwrap();
    let mut qp = qp.init(PortNum::FIRST).unwrap();
    qp.post_recv(rig.buf(), 1).unwrap();
    let qp = qp.stop().unwrap();
    rig.fake.state().flush();
    let drained = qp.drain(&mut [&mut rig.cq, &mut recv_cq], LONG, |_| ());
    drained.outcome.unwrap();
    assert_eq!(tokens(&drained.done, Queue::Recv), [1]);
}

#[test]
fn a_queue_that_fails_cuts_the_waiting_short_and_everything_comes_back() {
    let mut rig = Rig::new();
    let qp = busy(&rig).stop().unwrap();
    rig.fake.state().poll_result = Some(-1);
    let drained = qp.drain(&mut [&mut rig.cq], LONG, |_| ());
    assert!(matches!(
        drained.outcome,
        Err(Error::CqFailed { result: -1 })
    ));
    assert_eq!((drained.done.len(), drained.returned.len()), (0, 5));
}

#[test]
fn what_fits_nothing_keeps_the_rest_for_ever() {
    let mut rig = Rig::new();
    let qp = busy(&rig).stop().unwrap();
    let posted = rig.fake.posted(Queue::Recv);
    rig.fake.state().report(posted[0], 5);
    rig.fake.state().report(posted[0], 5);
    let drained = qp.drain(&mut [&mut rig.cq], LONG, |_| ());
    assert!(matches!(drained.outcome, Err(Error::QpPoisoned { .. })));
    assert_eq!((drained.done.len(), drained.returned.len()), (1, 0));
    drop(drained);
    assert_eq!(rig.free_slots(), 16 - 4);
}

#[test]
fn a_queue_pair_that_stays_keeps_what_it_has() {
    let mut rig = Rig::new();
    let qp = busy(&rig).stop().unwrap();
    rig.fake.state().refuse_destroy_qp = true;
    let drained = qp.drain(&mut [&mut rig.cq], Duration::ZERO, |_| ());
    assert!(matches!(
        drained.outcome,
        Err(Error::Verb {
            operation: "ibv_destroy_qp",
            ..
        })
    ));
    assert!(drained.returned.is_empty());
    assert_eq!(rig.free_slots(), 16 - 5);
}
