//! Which sends a completion stands for, and what becomes of the others.

use rstest::rstest;

use super::*;
use crate::{WcOpcode, WcStatus};

#[test]
fn a_refused_post_does_not_leave_a_queue_that_nothing_would_move() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for token in 0..3 {
        qp.post(Wr::send(rig.buf()).unsignalled(), token).unwrap();
    }
    // The fourth would be signalled, and is refused.
    rig.fail_next_post(libc::ENOMEM, BadWr::Own, false);
    assert!(
        qp.post(Wr::send(rig.buf()).unsignalled(), 3)
            .unwrap_err()
            .bufs
            .is_some()
    );
    qp.post(Wr::send(rig.buf()).unsignalled(), 4).unwrap();
    let posted = rig.fake.posted(Queue::Send);
    assert_eq!(posted.len(), 4);
    assert!(posted[3].signalled, "nothing would ever make room");
    rig.fake.complete(Queue::Send, 3, 0);
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Send), [0, 1, 2, 4]);
}

#[rstest]
#[case::signalled(true)]
#[case::unsignalled(false)]
fn refused_posts_leave_the_accounts_as_they_were(#[case] signalled: bool) {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for round in 0..10 {
        for token in 0..4 {
            rig.fail_next_post(libc::ENOMEM, BadWr::Own, false);
            let refused = if signalled {
                qp.post_send(rig.buf(), 99)
            } else {
                qp.post(Wr::send(rig.buf()).unsignalled(), 99)
            };
            assert!(refused.unwrap_err().bufs.is_some());
            qp.post(Wr::send(rig.buf()).unsignalled(), token).unwrap();
        }
        rig.fake.complete(Queue::Send, 3, 0);
        let done = rig.complete_all(&mut qp).unwrap();
        assert_eq!(tokens(&done, Queue::Send), [0, 1, 2, 3], "in round {round}");
    }
}

#[test]
fn a_send_that_failed_is_never_reported_as_done_by_a_later_one() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_send(rig.buf(), 0).unwrap();
    qp.post_send(rig.buf(), 1).unwrap();
    let [first, second] = rig.fake.posted(Queue::Send)[..] else {
        panic!("two are posted")
    };
    // The first fails, and its completion is dropped.
    rig.fake.state().report(first, 12);
    assert!(rig.cq.poll().unwrap().next().is_some(), "and it is dropped");
    rig.fake.state().report(second, 0);
    let error = rig.complete_all(&mut qp).unwrap_err();
    assert!(matches!(error, Error::CompletionMissing { .. }), "{error}");
    assert_eq!(qp.in_flight(Queue::Send), 2);
    let free = rig.free_slots();
    drop(qp);
    assert_eq!(
        rig.free_slots(),
        free + 2,
        "with the queue pair, they come back"
    );
}

#[test]
fn a_completion_that_the_driver_lost_is_not_made_up() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for token in 0..2 {
        qp.post(Wr::send(rig.buf()).unsignalled(), token).unwrap();
        qp.post_send(rig.buf(), 10 + token).unwrap();
    }
    rig.fake.complete(Queue::Send, 1, 0);
    rig.fake.state().lose_completions();
    rig.fake.complete(Queue::Send, 1, 0);
    let error = rig.complete_all(&mut qp).unwrap_err();
    assert!(matches!(error, Error::CompletionMissing { .. }), "{error}");
}

#[test]
fn completions_handed_over_in_the_wrong_order_can_be_handed_over_again() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for token in 0..2 {
        qp.post(Wr::send(rig.buf()).unsignalled(), token).unwrap();
        qp.post_send(rig.buf(), 10 + token).unwrap();
    }
    rig.fake.complete(Queue::Send, 1, 0);
    rig.fake.complete(Queue::Send, 1, 0);
    let mut batch: Vec<_> = rig.cq.poll().unwrap().collect();
    let error = qp.complete(&mut batch[1]).unwrap_err();
    assert!(matches!(error, Error::CompletionMissing { .. }), "{error}");
    let mut order = Vec::new();
    for completion in &mut batch {
        while let Some(done) = qp.complete(completion).unwrap() {
            order.push(done.token);
        }
    }
    assert_eq!(order, [0, 10, 1, 11]);
}

#[test]
fn a_failure_is_known_with_the_first_buffer_that_its_completion_gives_back() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post(Wr::send(rig.buf()).unsignalled(), 0).unwrap();
    qp.post_send(rig.buf(), 1).unwrap();
    let second = rig.fake.posted(Queue::Send)[1];
    rig.fake.state().report(second, 12);
    let mut batch = rig.cq.poll().unwrap();
    let mut completion = batch.next().unwrap();
    let first = qp.complete(&mut completion).unwrap().unwrap();
    assert_eq!((first.token, first.status), (0, WcStatus::Success));
    assert!(qp.has_failed());
    let rejected = qp.post_send(first.into_buf().unwrap(), 2).unwrap_err();
    assert!(matches!(rejected.error, Error::QpFailed { .. }));
    let second = qp.complete(&mut completion).unwrap().unwrap();
    assert_eq!(second.status, WcStatus::RetryExceeded);
}

#[test]
fn what_is_done_says_what_it_was() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post(Wr::send(rig.buf()).unsignalled(), 0).unwrap();
    qp.post_send(rig.buf(), 1).unwrap();
    qp.post_recv(rig.buf(), 2).unwrap();
    rig.fake.complete(Queue::Send, 1, 0);
    rig.fake.complete(Queue::Recv, 0, 0);
    let done = rig.complete_all(&mut qp).unwrap();
    let opcodes: Vec<_> = done.iter().map(|done| done.opcode).collect();
    assert_eq!(opcodes, [WcOpcode::Send, WcOpcode::Send, WcOpcode::Recv]);
}

#[test]
fn a_message_longer_than_the_port_can_send_is_not_posted() {
    let rig = Rig::new();
    rig.fake.state().max_message = 64;
    let mut qp = rig.qp();
    let rejected = qp.post_send(rig.buf(), 0).unwrap_err();
    assert!(
        matches!(
            rejected.error,
            Error::MessageTooLong {
                len: 100,
                max: 64,
                ..
            }
        ),
        "{rejected}"
    );
    let mut buf = rejected.into_buf().unwrap();
    buf.set_len(64);
    qp.post_send(buf, 0).unwrap();
    assert_eq!(rig.fake.state().posted.len(), 1);
}

#[test]
fn numbers_that_would_be_cut_off_are_refused_before_the_kernel_sees_them() {
    let rig = Rig::new();
    let new = || {
        rig.pd
            .create_rc(&rig.cq, &rig.cq, QpCap::new(1, 1))
            .unwrap()
    };
    let mut init = new().init(PortNum::FIRST).unwrap();
    let good = RtrAttr::new(peer(), Mtu::B1024);
    // 259 is 3 in eight bits: 1024 bytes.
    for bad in [
        RtrAttr::new(peer(), Mtu::Unknown(259)),
        good.service_level(16),
    ] {
        let failed = init.rtr(&bad).unwrap_err();
        assert!(matches!(failed.error, Error::OutOfRange { .. }), "{failed}");
        assert_eq!(failed.qp.query().unwrap().state, crate::QpState::Init);
        init = *failed.qp;
    }
    let mut rtr = init.rtr(&good).unwrap();
    let good = RtsAttr::new(Psn::new(2).unwrap());
    for bad in [good.retries(8), good.rnr_retries(8)] {
        let failed = rtr.rts(&bad).unwrap_err();
        assert!(matches!(failed.error, Error::OutOfRange { .. }), "{failed}");
        rtr = *failed.qp;
    }
    drop(rtr.rts(&good.retries(7).rnr_retries(7)).unwrap());
}
