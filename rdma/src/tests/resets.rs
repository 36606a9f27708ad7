//! Queue pairs that start again.

use super::*;
use crate::QpState;

#[test]
fn what_was_in_flight_comes_back_in_order() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    for token in 0..3 {
        qp.post_recv(rig.buf(), token).unwrap();
        qp.post(Wr::send(rig.buf()).unsignalled(), 10 + token)
            .unwrap();
    }
    let (qp, returned) = qp.reset().unwrap();
    let tokens: Vec<_> = returned.iter().map(|returned| returned.token).collect();
    assert_eq!(tokens, [10, 11, 12, 0, 1, 2]);
    assert_eq!(qp.query().unwrap().state, QpState::Reset);
    drop(returned);
    assert_eq!(rig.free_slots(), 16);
}

#[test]
fn completions_of_before_are_nobodys() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 1).unwrap();
    qp.post_send(rig.buf(), 2).unwrap();
    rig.fake.complete(Queue::Recv, 0, 0);
    rig.fake.complete(Queue::Send, 0, 0);
    let (qp, returned) = qp.reset().unwrap();
    assert_eq!(returned.len(), 2);
    let mut qp = again(qp);
    qp.post_recv(rig.buf(), 3).unwrap();
    for mut completion in rig.cq.poll().unwrap() {
        assert!(!qp.owns(&completion));
        assert!(matches!(
            qp.complete(&mut completion),
            Err(Error::OtherQp { .. })
        ));
    }
    rig.fake.complete(Queue::Recv, 0, 0);
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Recv), [3]);
}

#[test]
fn a_failed_queue_pair_works_again() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    rig.fail_next_post(libc::EINVAL, BadWr::Null, true);
    drop(qp.post_send(rig.buf(), 0).unwrap_err());
    assert!(qp.has_failed());
    let (qp, returned) = qp.reset().unwrap();
    assert_eq!(returned.len(), 1);
    let mut qp = again(qp);
    rig.fake.state().posted.clear();
    qp.post_send(rig.buf(), 5).unwrap();
    rig.fake.complete(Queue::Send, 0, 0);
    assert_eq!(
        tokens(&rig.complete_all(&mut qp).unwrap(), Queue::Send),
        [5]
    );
}

#[test]
fn it_needs_room_beside_what_may_still_be_there() {
    let rig = Rig::new();
    let tight = rig.context.create_cq(8).unwrap();
    let qp = connected(&rig.pd, &tight, DEPTH);
    let failed = qp.reset().unwrap_err();
    assert!(
        matches!(
            failed.error,
            Error::CqFull {
                wanted: 4,
                free: 0,
                ..
            }
        ),
        "{failed}"
    );
    let mut cq = rig.context.create_cq(16).unwrap();
    let qp = connected(&rig.pd, &cq, DEPTH);
    let (qp, _) = qp.reset().unwrap();
    let qp = again(qp);
    let failed = qp.reset().unwrap_err();
    assert!(cq.poll().unwrap().next().is_none());
    assert!(
        failed.qp.reset().is_ok(),
        "the old room is free once the queue was seen empty"
    );
}

#[test]
fn a_refusal_changes_nothing() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 1).unwrap();
    rig.fake.state().refuse_modify = Some(libc::EIO);
    let failed = qp.reset().unwrap_err();
    rig.fake.state().refuse_modify = None;
    assert!(matches!(failed.error, Error::Verb { .. }), "{failed}");
    assert_eq!(failed.qp.in_flight(Queue::Recv), 1);
    let (_, returned) = failed.qp.reset().unwrap();
    assert_eq!(returned.len(), 1);
}

#[test]
fn a_poisoned_queue_pair_hands_nothing_back() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 1).unwrap();
    let posted = rig.fake.posted(Queue::Recv)[0];
    rig.fake.state().report(posted, 0);
    rig.fake.state().report(posted, 0);
    assert!(rig.complete_all(&mut qp).is_err());
    let failed = qp.reset().unwrap_err();
    assert!(matches!(failed.error, Error::QpPoisoned { .. }), "{failed}");
}

fn again(qp: Qp<Rc, crate::Reset>) -> Qp<Rc, Rts> {
    let qp = qp.init(PortNum::FIRST).unwrap();
    let qp = qp.rtr(&RtrAttr::new(peer(), Mtu::B1024)).unwrap();
    qp.rts(&RtsAttr::new(Psn::new(2).unwrap())).unwrap()
}
