//! Room in completion queues, tags, and when they are free again; polls that fail or stop early.

use rstest::rstest;

use super::*;
use crate::sys::{tag_in_use, tags_taken};

#[test]
fn a_cq_cannot_be_promised_twice_nor_while_old_completions_may_be_in_it() {
    let mut rig = Rig::new();
    let depth = QpCap::new(16, 16);
    let first = connected(&rig.pd, &rig.cq, depth);
    let error = rig.pd.create_rc(&rig.cq, &rig.cq, DEPTH).unwrap_err();
    assert!(
        matches!(
            error,
            Error::CqFull {
                wanted: 4,
                free: 0,
                capacity: 32,
                ..
            }
        ),
        "{error}"
    );
    drop(first);
    let error = rig.pd.create_rc(&rig.cq, &rig.cq, DEPTH).unwrap_err();
    assert!(
        matches!(error, Error::CqFull { .. }),
        "completions may still be in there"
    );
    assert_eq!(rig.cq.poll().unwrap().len(), 0);
    drop(connected(&rig.pd, &rig.cq, depth));
}

#[test]
fn a_tag_stays_in_use_while_completions_that_bear_it_are_held() {
    let mut rig = Rig::new();
    let mut first = rig.qp();
    let tag = first.handle().tag();
    first.post_recv(rig.buf(), 1).unwrap();
    rig.fake.complete(Queue::Recv, 0, 0);
    drop(first);
    let mut batch = rig.cq.poll().unwrap();
    assert!(
        tag_in_use(tag),
        "the batch is fetched, and nobody looked at it"
    );
    let held = batch.next().unwrap();
    assert!(tag_in_use(tag), "its completion is in a variable");
    assert_eq!(held.opcode(), crate::WcOpcode::Recv);
    assert_eq!(rig.cq.poll().unwrap().len(), 0);
    assert!(!tag_in_use(tag), "nothing of it is left anywhere");
    assert_eq!(rig.cq.handle().reserved(), 0);
}

#[test]
fn a_poll_that_finds_some_frees_nothing() {
    // Some drivers return what one look found, and there may be more.
    let mut rig = Rig::new();
    let memory = rig.pd.register_local(32, 8).unwrap();
    let mut qp = connected(&rig.pd, &rig.cq, QpCap::new(0, 32));
    let tag = qp.handle().tag();
    for token in 0..20 {
        qp.post_recv(memory.take().unwrap(), token).unwrap();
    }
    rig.fake.state().flush();
    rig.fake.state().poll_max = 3;
    drop(qp);
    let mut fetched = 0;
    while fetched < 20 {
        let batch = rig.cq.poll().unwrap();
        assert!((1..=3).contains(&batch.len()));
        fetched += batch.count();
        assert!(tag_in_use(tag));
        assert_eq!(rig.cq.handle().reserved(), 32);
    }
    assert_eq!(rig.cq.poll().unwrap().len(), 0);
    assert_eq!(rig.cq.handle().reserved(), 0);
    assert!(!tag_in_use(tag));
}

#[test]
fn room_and_tags_come_back_on_a_queue_that_is_never_found_empty() {
    let mut rig = Rig::new();
    let mut busy = rig.qp();
    let other = rig.qp();
    let tag = other.handle().tag();
    drop(other);
    let mut polled = 0;
    // The CQ has 32 entries; so many polled since then, and no batch of them held.
    while polled <= 32 {
        assert!(tag_in_use(tag), "after {polled} completions");
        for _ in 0..4 {
            busy.post_recv(rig.buf(), 0).unwrap();
            rig.fake.complete(Queue::Recv, 0, 0);
        }
        let done = rig.complete_all(&mut busy).unwrap();
        assert_eq!(done.len(), 4);
        polled += done.len();
    }
    assert!(!tag_in_use(tag));
    assert_eq!(rig.cq.handle().reserved(), 8);
}

#[test]
fn queue_pairs_that_come_and_go_on_a_busy_queue_do_not_use_it_up() {
    let mut rig = Rig::new();
    let mut busy = rig.qp();
    for _ in 0..200 {
        // Room for three of these at a time, besides the busy one.
        if rig.cq.handle().reserved() <= 24 {
            drop(rig.qp());
        }
        busy.post_recv(rig.buf(), 0).unwrap();
        rig.fake.complete(Queue::Recv, 0, 0);
        assert_eq!(rig.complete_all(&mut busy).unwrap().len(), 1);
    }
    assert!(
        rig.fake.state().count("destroy_qp") >= 6,
        "{}",
        rig.fake.state().count("destroy_qp")
    );
}

#[test]
fn a_hundred_thousand_queue_pairs_leave_their_completions_and_none_is_taken_for_anothers() {
    let mut rig = Rig::new();
    let free = rig.free_slots();
    let depth = QpCap::new(2, 2);
    let mut stale = 0;
    for round in 0..50_000_u64 {
        let (mut old, mut new) = (
            connected(&rig.pd, &rig.cq, depth),
            connected(&rig.pd, &rig.cq, depth),
        );
        for qp in [&mut old, &mut new] {
            qp.post_recv(rig.buf(), round).unwrap();
            qp.post_send(rig.buf(), round).unwrap();
        }
        for queue in [Queue::Send, Queue::Send, Queue::Recv, Queue::Recv] {
            rig.fake.complete_oldest(queue, 0x33);
        }
        drop(old);
        let mut done = 0;
        while done < 2 {
            for mut completion in rig.cq.poll().unwrap() {
                if new.owns(&completion) {
                    let one = new.complete(&mut completion).unwrap().unwrap();
                    assert_eq!(one.token, round);
                    done += 1;
                } else {
                    stale += 1;
                }
            }
        }
        // Of `new`, one is left unpolled, too.
        new.post_recv(rig.buf(), round).unwrap();
        rig.fake.complete_oldest(Queue::Recv, 0x33);
        drop(new);
        stale += rig.cq.poll().unwrap().count();
        assert_eq!(rig.cq.poll().unwrap().len(), 0);
        assert_eq!(rig.cq.handle().reserved(), 0, "round {round}");
    }
    assert_eq!((stale, rig.free_slots()), (3 * 50_000, free));
}

#[test]
fn a_batch_dropped_half_way_goes_on_with_the_next_poll() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for token in 0..4 {
        qp.post_recv(rig.buf(), token).unwrap();
    }
    for _ in 0..4 {
        rig.fake.complete(Queue::Recv, 0, 0);
    }
    let mut got = Vec::new();
    for mut completion in rig.cq.poll().unwrap() {
        got.extend(qp.complete(&mut completion).unwrap());
        if got.len() == 1 {
            break;
        }
    }
    // Not looked at at all.
    assert_eq!(rig.cq.poll().unwrap().len(), 3);
    let _forgotten = std::mem::ManuallyDrop::new(rig.cq.poll().unwrap());
    got.extend(rig.complete_all(&mut qp).unwrap());
    assert_eq!(tokens(&got, Queue::Recv), [0, 1, 2, 3]);
    qp.post_recv(rig.buf(), 4).unwrap();
}

#[test]
fn a_receive_whose_completion_was_dropped_blocks_the_queue_and_the_error_says_so() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for token in 0..4 {
        qp.post_recv(rig.buf(), token).unwrap();
    }
    for _ in 0..4 {
        rig.fake.complete(Queue::Recv, 0, 0);
    }
    assert!(rig.cq.poll().unwrap().next().is_some(), "and it is dropped");
    assert_eq!(rig.complete_all(&mut qp).unwrap().len(), 3);
    let rejected = qp.post_recv(rig.buf(), 4).unwrap_err();
    assert!(
        matches!(
            rejected.error,
            Error::QueueBlocked {
                queue: Queue::Recv,
                in_flight: 1
            }
        ),
        "{rejected}"
    );
    assert!(rejected.bufs.is_some());
}

#[test]
fn a_queue_pair_that_could_not_be_created_keeps_no_room_and_uses_up_no_tag() {
    let rig = Rig::new();
    let elsewhere = Rig::new();
    let before = tags_taken();
    let error = rig.pd.create_rc(&rig.cq, &elsewhere.cq, DEPTH).unwrap_err();
    assert!(matches!(error, Error::OtherContext { queue: Queue::Recv }));
    let too_deep = QpCap::new(33, 1);
    assert!(rig.pd.create_rc(&rig.cq, &rig.cq, too_deep).is_err());
    let absurd = QpCap::new(u32::MAX, u32::MAX);
    assert!(matches!(
        rig.pd.create_rc(&rig.cq, &rig.cq, absurd),
        Err(Error::OutOfRange {
            what: "queue depth",
            ..
        })
    ));
    rig.fake.state().refuse_create_qp = true;
    let error = rig.pd.create_rc(&rig.cq, &rig.cq, DEPTH).unwrap_err();
    assert!(matches!(error, Error::Verb { .. }), "{error}");
    assert_eq!(rig.cq.handle().reserved(), 0);
    assert_eq!(tags_taken(), before);
    rig.fake.state().refuse_create_qp = false;
    drop(rig.qp());
    assert_eq!(tags_taken(), before + 1);
}

#[test]
fn a_queue_of_depth_zero_holds_no_tag() {
    // Sends complete on a CQ that nobody polls: nothing is ever posted there.
    let mut rig = Rig::new();
    let idle = rig.context.create_cq(1).unwrap();
    let qp = rig.pd.create_rc(&idle, &rig.cq, QpCap::new(0, 4)).unwrap();
    let tag = qp.handle().tag();
    drop(qp);
    assert_eq!(rig.cq.poll().unwrap().len(), 0);
    assert!(!tag_in_use(tag));
}

#[rstest]
#[case::less(Some(8), 8)]
#[case::rounded_up(Some(15), 10)]
#[case::nonsense(Some(-1), 0)]
fn no_more_room_is_promised_than_was_asked_for_and_granted(
    #[case] grant: Option<i32>,
    #[case] capacity: u32,
) {
    let rig = Rig::new();
    rig.fake.state().grant = grant;
    let cq = rig.context.create_cq(10).unwrap();
    assert_eq!(cq.capacity(), capacity);
    let error = rig.pd.create_rc(&cq, &cq, QpCap::new(0, 11)).unwrap_err();
    assert!(
        matches!(error, Error::CqFull { capacity: named, .. } if named == capacity),
        "{error}"
    );
}

#[rstest]
#[case::mana(-1)]
#[case::mlx5(-2)]
#[case::more_than_asked_for(17)]
#[case::absurd(i32::MAX)]
#[case::absurd_negative(i32::MIN)]
fn a_poll_with_an_impossible_result_ends_the_queue(#[case] result: i32) {
    let mut rig = Rig::new();
    let free = rig.free_slots();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 0).unwrap();
    rig.fake.state().poll_result = Some(result);
    let failed = |error| matches!(error, Error::CqFailed { result: named } if named == result);
    assert!(failed(rig.cq.poll().unwrap_err()));
    // Whatever the driver says later, completions may be lost.
    rig.fake.state().poll_result = None;
    assert!(failed(rig.cq.poll().unwrap_err()));
    assert!(failed(
        rig.pd.create_rc(&rig.cq, &rig.cq, DEPTH).unwrap_err()
    ));
    drop(qp);
    assert_eq!(rig.free_slots(), free);
}
