//! What happens to a buffer that is posted, or not.

use rstest::rstest;

use super::*;
use crate::{QpState, WcStatus};

#[test]
fn what_is_sent_and_received_comes_back_with_its_token_and_bytes() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    let mut message = rig.buf();
    message.set_len(3);
    message.copy_from_slice(b"abc");
    qp.post_recv(rig.buf(), 7).unwrap();
    qp.post_send(message, 8).unwrap();
    assert_eq!(rig.fake.posted(Queue::Send)[0].length, 3);
    assert_eq!(
        rig.fake.posted(Queue::Recv)[0].length,
        100,
        "a receive offers the whole buffer"
    );
    rig.fake.complete(Queue::Send, 0, 0);
    rig.fake.complete(Queue::Recv, 0, 0x5a);

    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Send), [8]);
    assert_eq!(done[0].message(), b"abc");
    assert_eq!(tokens(&done, Queue::Recv), [7]);
    assert_eq!(done[1].message(), [0x5a; 100]);
    assert_eq!(
        (qp.in_flight(Queue::Send), qp.in_flight(Queue::Recv)),
        (0, 0)
    );
}

#[test]
fn a_full_queue_gives_the_buffer_back_and_the_device_never_hears_of_it() {
    // The fake accepts any number, as real devices accept more than they were asked for.
    let rig = Rig::new();
    let mut qp = rig.qp();
    for queue in [Queue::Send, Queue::Recv] {
        let post = |qp: &mut Qp<Rc, Rts>| match queue {
            Queue::Send => qp.post_send(rig.buf(), 0),
            Queue::Recv => qp.post_recv(rig.buf(), 0),
        };
        for _ in 0..4 {
            post(&mut qp).unwrap();
        }
        let rejected = post(&mut qp).unwrap_err();
        assert!(
            matches!(rejected.error, Error::QueueFull { depth: 4, .. }),
            "{rejected}"
        );
        assert!(rejected.bufs.is_some());
        assert_eq!(rig.fake.posted(queue).len(), 4);
    }
    assert!(!qp.has_failed());
}

#[test]
fn a_buffer_of_another_domain_is_not_posted() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    let elsewhere = rig
        .context
        .alloc_pd()
        .unwrap()
        .register_local(1, 8)
        .unwrap();
    let rejected = qp.post_send(elsewhere.take().unwrap(), 0).unwrap_err();
    assert!(matches!(rejected.error, Error::OtherPd { .. }));
    let rejected = qp.post_recv(rejected.into_buf().unwrap(), 0).unwrap_err();
    assert!(matches!(rejected.error, Error::OtherPd { .. }));
    assert!(rig.fake.state().posted.is_empty());
}

#[rstest]
#[case(libc::ENOMEM)]
#[case(-libc::ENOMEM)]
fn a_post_that_the_library_names_as_failed_gives_the_buffer_back(#[case] result: i32) {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for queue in [Queue::Send, Queue::Recv] {
        rig.fail_next_post(result, BadWr::Own, false);
        let rejected = match queue {
            Queue::Send => qp.post_send(rig.buf(), 1),
            Queue::Recv => qp.post_recv(rig.buf(), 1),
        }
        .unwrap_err();
        assert!(rejected.bufs.is_some());
        let Error::Verb { source, .. } = &rejected.error else {
            panic!("{rejected}")
        };
        assert_eq!(source.raw_os_error(), Some(libc::ENOMEM));
        assert!(!qp.has_failed() && qp.in_flight(queue) == 0);
    }
    // The queue goes on where it was.
    qp.post_send(rig.buf(), 2).unwrap();
    rig.fake.complete(Queue::Send, 0, 0);
    assert_eq!(
        tokens(&rig.complete_all(&mut qp).unwrap(), Queue::Send),
        [2]
    );
}

#[rstest]
#[case::says_nothing(BadWr::Null, libc::EINVAL)]
#[case::says_nothing_negative(BadWr::Null, -libc::EINVAL)]
#[case::points_elsewhere(BadWr::Foreign, libc::EINVAL)]
fn a_post_that_may_have_been_queued_keeps_the_buffer_until_the_device_is_done(
    #[case] bad_wr: BadWr,
    #[case] result: i32,
) {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    let before = rig.free_slots();
    rig.fail_next_post(result, bad_wr, true);
    let rejected = qp.post_recv(rig.buf(), 9).unwrap_err();
    assert!(
        matches!(rejected.error, Error::PostUncertain { .. }),
        "{rejected}"
    );
    assert!(rejected.bufs.is_none());
    assert_eq!(rig.free_slots(), before - 1);
    assert_eq!(
        qp.query().unwrap().state,
        QpState::Err,
        "the device is told to flush"
    );
    let refused = qp.post_recv(rig.buf(), 10).unwrap_err();
    assert!(matches!(refused.error, Error::QpFailed { .. }) && refused.bufs.is_some());

    // The device had it after all, and flushes it.
    rig.fake.state().flush();
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Recv), [9]);
    assert_eq!(done[0].status, WcStatus::Flushed);
}

#[rstest]
#[case::send(Queue::Send)]
#[case::receive(Queue::Recv)]
fn a_request_that_was_refused_and_runs_later_has_its_buffer_until_then(#[case] queue: Queue) {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    let before = rig.free_slots();
    qp.post_send(rig.buf(), 1).unwrap();
    rig.fail_next_post(libc::EINVAL, BadWr::Null, true);
    let rejected = match queue {
        Queue::Send => qp.post_send(rig.buf(), 2),
        Queue::Recv => qp.post_recv(rig.buf(), 2),
    };
    assert!(matches!(
        rejected.map_err(Error::from),
        Err(Error::PostUncertain { .. })
    ));
    assert_eq!(
        (rig.free_slots(), qp.in_flight(queue)),
        (before - 2, 1 + u32::from(queue == Queue::Send))
    );
    // As if nothing had been said: it is done, and not flushed.
    rig.fake.complete(Queue::Send, 0, 0);
    rig.fake.complete(queue, 0, 0x44);
    let done = rig.complete_all(&mut qp).unwrap();
    let ended: Vec<_> = done.iter().map(|done| (done.token, done.status)).collect();
    assert_eq!(ended, [(1, WcStatus::Success), (2, WcStatus::Success)]);
    if queue == Queue::Recv {
        assert_eq!(done[1].message(), [0x44; 100]);
    }
    drop(done);
    assert_eq!(rig.free_slots(), before);
}

#[test]
fn a_buffer_in_doubt_that_the_device_did_not_have_comes_back_when_the_queue_pair_ends() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    let before = rig.free_slots();
    rig.fail_next_post(libc::EINVAL, BadWr::Null, false);
    assert!(qp.post_send(rig.buf(), 0).unwrap_err().bufs.is_none());
    assert_eq!(rig.free_slots(), before - 1);
    drop(qp);
    assert_eq!(rig.free_slots(), before);
}

#[test]
fn an_unsignalled_send_comes_back_with_the_next_signalled_one() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post(Wr::send(rig.buf()).unsignalled(), 1).unwrap();
    qp.post(Wr::send(rig.buf()).unsignalled(), 2).unwrap();
    qp.post_send(rig.buf(), 3).unwrap();
    for _ in 0..3 {
        rig.fake.complete(Queue::Send, 0, 0);
    }
    assert_eq!(rig.fake.state().unpolled(), 1);
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Send), [1, 2, 3]);
    assert!(done.iter().all(|done| done.status.is_success()));
}

#[test]
fn a_queue_full_of_unsignalled_sends_still_moves() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for round in 0..5 {
        for token in 0..4 {
            qp.post(Wr::send(rig.buf()).unsignalled(), round * 4 + token)
                .unwrap();
        }
        for _ in 0..4 {
            rig.fake.complete(Queue::Send, 0, 0);
        }
        let done = rig.complete_all(&mut qp).unwrap();
        assert_eq!(done.len(), 4, "round {round}");
    }
}

#[test]
fn a_failed_unsignalled_send_says_so_and_those_before_it_succeeded() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post(Wr::send(rig.buf()).unsignalled(), 1).unwrap();
    qp.post(Wr::send(rig.buf()).unsignalled(), 2).unwrap();
    rig.fake.complete(Queue::Send, 0, 0);
    let failing = rig.fake.posted(Queue::Send)[0];
    rig.fake.state().report(failing, 12);
    let done = rig.complete_all(&mut qp).unwrap();
    let statuses: Vec<_> = done.iter().map(|done| (done.token, done.status)).collect();
    assert_eq!(
        statuses,
        [(1, WcStatus::Success), (2, WcStatus::RetryExceeded)]
    );
    assert!(
        done[1]
            .check()
            .unwrap_err()
            .to_string()
            .contains("retries exceeded")
    );
    assert!(qp.has_failed());
    assert!(qp.post_send(rig.buf(), 3).is_err());
}

#[test]
fn stopping_flushes_every_buffer_once() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for token in 0..3 {
        qp.post_recv(rig.buf(), token).unwrap();
        qp.post(Wr::send(rig.buf()).unsignalled(), 10 + token)
            .unwrap();
    }
    let mut qp = qp.stop().unwrap();
    rig.fake.state().flush();
    let mut tokens = Vec::new();
    for mut completion in rig.cq.poll().unwrap() {
        while let Some(done) = qp.complete(&mut completion).unwrap() {
            assert_eq!(done.status, WcStatus::Flushed);
            tokens.push(done.token);
        }
    }
    tokens.sort_unstable();
    assert_eq!(tokens, [0, 1, 2, 10, 11, 12]);
}
