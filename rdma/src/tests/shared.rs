//! Receives that several queue pairs share.

use rstest::rstest;

use super::*;
use crate::{Srq, leaks};

/// Two queue pairs on one shared queue of four.
fn shared(rig: &Rig) -> (Srq, Qp<Rc, Rts>, Qp<Rc, Rts>) {
    let srq = rig.pd.create_srq(4, 1).unwrap();
    let qp = || {
        let qp = rig
            .pd
            .create_rc_with_srq(&rig.cq, &rig.cq, &srq, QpCap::new(2, 0))
            .unwrap();
        steps(qp)
    };
    let (a, b) = (qp(), qp());
    (srq, a, b)
}

fn steps(qp: Qp<Rc, crate::Reset>) -> Qp<Rc, Rts> {
    let qp = qp.init(PortNum::FIRST).unwrap();
    let qp = qp.rtr(&RtrAttr::new(peer(), Mtu::B1024)).unwrap();
    qp.rts(&RtsAttr::new(Psn::new(2).unwrap())).unwrap()
}

/// A queue pair takes the `index`th receive, for a message of `len` bytes.
fn arrives(rig: &Rig, index: usize, len: u32) {
    let mut posted = rig.fake.posted(Queue::Recv)[index];
    let mut state = rig.fake.state();
    posted.cq = state.only_cq();
    posted.length = len;
    state.finish(posted, 0x5a);
}

#[test]
fn messages_come_in_any_order_and_free_their_places() {
    let mut rig = Rig::new();
    let (mut srq, ..) = shared(&rig);
    for token in 0..4 {
        srq.post_recv(rig.buf(), token).unwrap();
    }
    let full = srq.post_recv(rig.buf(), 9).unwrap_err();
    assert!(matches!(full.error, Error::QueueFull { depth: 4, .. }) && full.bufs.is_some());
    arrives(&rig, 2, 7);
    arrives(&rig, 0, 3);
    let mut seen = Vec::new();
    for mut completion in rig.cq.poll().unwrap() {
        assert!(srq.owns(&completion));
        let done = srq.complete(&mut completion).unwrap().unwrap();
        seen.push((done.token, done.message().len()));
        assert!(srq.complete(&mut completion).unwrap().is_none());
    }
    assert_eq!(seen, [(2, 7), (0, 3)]);
    assert_eq!((srq.in_flight(), srq.depth()), (2, 4));
    srq.post_recv(rig.buf(), 5).unwrap();
    srq.post_recv(rig.buf(), 6).unwrap();
    assert_eq!(srq.in_flight(), 4);
}

#[test]
fn it_has_room_in_each_completion_queue_once() {
    let rig = Rig::new();
    let before = rig.cq.handle().reserved();
    let (srq, a, b) = shared(&rig);
    assert_eq!(rig.cq.handle().reserved(), before + 4 + 2 + 2);
    let small = rig.context.create_cq(3).unwrap();
    let refused = rig
        .pd
        .create_rc_with_srq(&rig.cq, &small, &srq, QpCap::new(1, 0));
    assert!(matches!(
        refused.unwrap_err(),
        Error::CqFull {
            wanted: 4,
            free: 3,
            ..
        }
    ));
    drop((a, b, srq));
}

#[rstest]
fn whatever_goes_first_the_memory_goes_last(#[values(0, 1, 2)] first: usize) {
    let rig = Rig::new();
    let (mut srq, a, b) = shared(&rig);
    srq.post_recv(rig.buf(), 1).unwrap();
    let (mut srq, mut a, mut b) = (Some(srq), Some(a), Some(b));
    for n in [first, first + 1, first + 2] {
        assert_eq!(rig.fake.state().count("destroy_srq"), 0);
        assert_eq!(rig.free_slots(), 15);
        match n % 3 {
            0 => drop(srq.take()),
            1 => drop(a.take()),
            _ => drop(b.take()),
        }
    }
    assert_eq!(rig.fake.state().count("destroy_srq"), 1);
    assert_eq!(rig.free_slots(), 16);
}

#[test]
fn a_queue_that_cannot_be_destroyed_keeps_its_memory() {
    let rig = Rig::new();
    let before = leaks();
    let (mut srq, a, b) = shared(&rig);
    srq.post_recv(rig.buf(), 1).unwrap();
    rig.fake.state().refuse_destroy_srq = true;
    drop((srq, a, b));
    let after = leaks();
    assert_eq!(
        (after.srqs - before.srqs, after.bytes - before.bytes),
        (1, 100)
    );
    assert_eq!(rig.free_slots(), 15);
}

#[test]
fn a_completion_that_fits_nothing_poisons_it_and_its_memory_stays() {
    let mut rig = Rig::new();
    let (mut srq, a, b) = shared(&rig);
    srq.post_recv(rig.buf(), 1).unwrap();
    srq.post_recv(rig.buf(), 2).unwrap();
    let mut posted = rig.fake.posted(Queue::Recv)[0];
    posted.cq = rig.fake.state().only_cq();
    rig.fake.state().report(posted, 0);
    rig.fake.state().report(posted, 0);
    let mut results = Vec::new();
    for mut completion in rig.cq.poll().unwrap() {
        results.push(
            srq.complete(&mut completion)
                .map(|done| done.map(|done| done.token)),
        );
    }
    assert!(
        matches!(results[..], [Ok(Some(1)), Err(Error::SrqFailed)]),
        "{results:?}"
    );
    let refused = srq.post_recv(rig.buf(), 3).unwrap_err();
    assert!(matches!(refused.error, Error::SrqFailed) && refused.bufs.is_some());
    drop(refused);
    drop((srq, a, b));
    assert_eq!(rig.free_slots(), 15);
}

#[rstest]
#[case::named(BadWr::Own, true)]
#[case::unnamed(BadWr::Null, false)]
fn a_failed_post_gives_back_what_was_surely_not_queued(#[case] bad: BadWr, #[case] back: bool) {
    let rig = Rig::new();
    let (mut srq, ..) = shared(&rig);
    rig.fail_next_post(libc::ENOMEM, bad, !back);
    let refused = srq.post_recv(rig.buf(), 1).unwrap_err();
    assert_eq!((refused.bufs.is_some(), srq.has_failed()), (back, !back));
    assert_eq!(srq.in_flight(), u32::from(!back));
}

#[test]
fn a_queue_of_another_domain_is_refused() {
    let rig = Rig::new();
    let other = rig.context.alloc_pd().unwrap();
    let srq = other.create_srq(4, 1).unwrap();
    let refused = rig.pd.create_rc_with_srq(&rig.cq, &rig.cq, &srq, DEPTH);
    assert!(matches!(refused.unwrap_err(), Error::OtherDomain));
}
