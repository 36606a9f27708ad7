//! Several receives with one doorbell.

use rstest::rstest;

use super::*;
use crate::sys::counting::allocations;
use crate::{BufList, Bufs};

#[test]
fn a_batch_is_one_call_and_keeps_its_order() {
    let mut rig = Rig::new();
    let mut qp = connected(&rig.pd, &rig.cq, QpCap::new(4, 4).pieces(1, 3));
    let list: BufList = (0..3).map(|_| rig.buf()).collect();
    let mut batch = qp.recv_batch();
    batch.push(rig.buf(), 1).unwrap();
    batch.push(list, 2).unwrap();
    batch.push(Bufs::None, 3).unwrap();
    assert_eq!((batch.len(), batch.is_empty()), (3, false));
    batch.post().unwrap();
    assert_eq!(rig.fake.state().recv_doorbells, 1);
    let posted = rig.fake.posted(Queue::Recv);
    let shapes: Vec<_> = posted
        .iter()
        .map(|one| (one.length, one.pieces.iter().count()))
        .collect();
    assert_eq!(shapes, [(100, 1), (300, 3), (0, 0)]);
    // Each into its own buffers, in whatever order they end.
    for (index, fill) in [(2, 0), (1, 0x22), (0, 0x11)] {
        rig.fake.complete(Queue::Recv, index, fill);
    }
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Recv), [3, 2, 1]);
    assert_eq!(done[2].message(), [0x11; 100]);
    let list = done[1].bufs.as_slice();
    assert!(list.iter().all(|buf| buf[..] == [0x22; 100]));
}

#[test]
fn no_more_are_taken_than_there_is_room_for() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 0).unwrap();
    let mut batch = qp.recv_batch();
    for token in 1..4 {
        batch.push(rig.buf(), token).unwrap();
    }
    let rejected = batch.push(rig.buf(), 4).unwrap_err();
    assert!(
        matches!(rejected.error, Error::QueueFull { depth: 4, .. }),
        "{rejected}"
    );
    assert!(rejected.into_buf().is_some());
    batch.post().unwrap();
    assert_eq!(qp.in_flight(Queue::Recv), 4);
}

#[rstest]
#[case::the_first(0)]
#[case::the_second(1)]
#[case::the_last(3)]
fn those_from_the_refused_one_on_come_back(#[case] after: usize) {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    rig.fail_post_after(after, libc::ENOMEM, BadWr::Own);
    let mut batch = qp.recv_batch();
    for token in 0..4 {
        batch.push(rig.buf(), token).unwrap();
    }
    let rejected = batch.post().unwrap_err();
    assert!(matches!(rejected.error, Error::Verb { .. }), "{rejected}");
    assert_eq!(rejected.posted, after);
    let back: Vec<_> = rejected.rest.iter().map(|(_, token)| *token).collect();
    let all = 0..4_u64;
    assert_eq!(back, all.clone().skip(after).collect::<Vec<_>>());
    drop(rejected);
    while !rig.fake.posted(Queue::Recv).is_empty() {
        rig.fake.complete(Queue::Recv, 0, 0);
    }
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(
        tokens(&done, Queue::Recv),
        all.take(after).collect::<Vec<_>>()
    );
    assert!(!qp.has_failed());
    qp.post_recv(rig.buf(), 9).unwrap();
}

#[rstest]
#[case::no_word(BadWr::Null)]
#[case::a_word_on_something_else(BadWr::Foreign)]
fn where_nobody_says_which_was_refused_all_are_in_flight(#[case] bad_wr: BadWr) {
    let rig = Rig::new();
    let mut qp = rig.qp();
    rig.fail_post_after(1, libc::EINVAL, bad_wr);
    let mut batch = qp.recv_batch();
    for token in 0..3 {
        batch.push(rig.buf(), token).unwrap();
    }
    let rejected = batch.post().unwrap_err();
    assert!(
        matches!(rejected.error, Error::PostUncertain { .. }),
        "{rejected}"
    );
    assert_eq!((rejected.posted, rejected.rest.len()), (3, 0));
    assert_eq!(
        (qp.in_flight(Queue::Recv), rig.fake.state().qp_state),
        (3, 6)
    );
    assert!(qp.recv_batch().push(rig.buf(), 4).is_err());
}

#[test]
fn a_slot_that_is_still_taken_stops_the_batch_there() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for token in 0..4 {
        qp.post_recv(rig.buf(), token).unwrap();
    }
    for index in [0, 1] {
        rig.fake.complete(Queue::Recv, index, 0);
    }
    // The first and the third have come back: of the next two slots, the second is taken.
    assert_eq!(rig.complete_all(&mut qp).unwrap().len(), 2);
    let mut batch = qp.recv_batch();
    batch.push(rig.buf(), 4).unwrap();
    batch.push(rig.buf(), 5).unwrap();
    let rejected = batch.post().unwrap_err();
    assert!(
        matches!(rejected.error, Error::QueueBlocked { .. }),
        "{rejected}"
    );
    assert_eq!((rejected.posted, rejected.rest.len()), (1, 1));
    assert_eq!(rejected.rest[0].1, 5);
    assert_eq!(rig.fake.posted(Queue::Recv).len(), 3);
}

#[test]
fn a_batch_that_is_dropped_or_forgotten_posts_nothing() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    let mut batch = qp.recv_batch();
    batch.push(rig.buf(), 1).unwrap();
    drop(batch);
    let mut batch = qp.recv_batch();
    batch.push(rig.buf(), 2).unwrap();
    std::mem::forget(batch);
    let mut batch = qp.recv_batch();
    batch.push(rig.buf(), 3).unwrap();
    batch.post().unwrap();
    assert_eq!(rig.fake.posted(Queue::Recv).len(), 1);
    assert_eq!(rig.free_slots(), 15);
}

#[test]
fn buffers_of_another_domain_are_refused() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    let other = rig
        .context
        .alloc_pd()
        .unwrap()
        .register_local(1, 100)
        .unwrap();
    let rejected = qp.recv_batch().push(other.take().unwrap(), 1).unwrap_err();
    assert!(
        matches!(rejected.error, Error::OtherPd { .. }),
        "{rejected}"
    );
}

#[test]
fn the_second_batch_allocates_nothing() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    let round = |rig: &mut Rig, qp: &mut Qp<Rc, Rts>| {
        let mut batch = qp.recv_batch();
        for token in 0..4 {
            batch.push(rig.memory.take().unwrap(), token).unwrap();
        }
        batch.post().unwrap();
        for _ in 0..4 {
            rig.fake.complete_oldest(Queue::Recv, 0);
        }
        for mut completion in rig.cq.poll().unwrap() {
            drop(qp.complete(&mut completion).unwrap().unwrap());
        }
    };
    round(&mut rig, &mut qp);
    assert_eq!(allocations(|| round(&mut rig, &mut qp)), 0);
}

#[test]
fn a_batch_of_a_shared_queue_is_one_call_and_each_comes_back_by_itself() {
    let mut rig = Rig::new();
    let mut srq = rig.pd.create_srq(4, 3).unwrap();
    let list: BufList = (0..3).map(|_| rig.buf()).collect();
    let mut batch = srq.recv_batch();
    batch.push(rig.buf(), 1).unwrap();
    batch.push(list, 2).unwrap();
    batch.push(Bufs::None, 3).unwrap();
    batch.push(rig.buf(), 4).unwrap();
    let rejected = batch.push(rig.buf(), 5).unwrap_err();
    assert!(
        matches!(rejected.error, Error::QueueFull { depth: 4, .. }),
        "{rejected}"
    );
    batch.post().unwrap();
    assert_eq!((rig.fake.state().recv_doorbells, srq.in_flight()), (1, 4));
    let posted = rig.fake.posted(Queue::Recv);
    let shapes: Vec<_> = posted
        .iter()
        .map(|one| (one.length, one.pieces.iter().count()))
        .collect();
    assert_eq!(shapes, [(100, 1), (300, 3), (0, 0), (100, 1)]);
    let cq = rig.fake.state().only_cq();
    for index in [3, 1, 0, 2] {
        rig.fake.state().finish(
            crate::sys::fake::Posted {
                cq,
                ..posted[index]
            },
            0x33,
        );
    }
    let mut told = Vec::new();
    for mut completion in rig.cq.poll().unwrap() {
        let done = srq.complete(&mut completion).unwrap().unwrap();
        told.push((done.token, done.bufs.as_slice().len()));
    }
    assert_eq!(told, [(4, 1), (2, 3), (1, 1), (3, 0)]);
}

#[rstest]
#[case::the_first(0)]
#[case::the_last(2)]
fn of_a_shared_queue_those_from_the_refused_one_on_come_back(#[case] after: usize) {
    let rig = Rig::new();
    let mut srq = rig.pd.create_srq(4, 1).unwrap();
    rig.fail_post_after(after, libc::ENOMEM, BadWr::Own);
    let mut batch = srq.recv_batch();
    for token in 0..3 {
        batch.push(rig.buf(), token).unwrap();
    }
    let rejected = batch.post().unwrap_err();
    assert!(matches!(rejected.error, Error::Verb { .. }), "{rejected}");
    let back: Vec<_> = rejected.rest.iter().map(|(_, token)| *token).collect();
    assert_eq!(
        (rejected.posted, back),
        (after, (0..3).skip(after).collect())
    );
    assert_eq!(
        (srq.in_flight(), srq.has_failed()),
        (u32::try_from(after).unwrap(), false)
    );
    srq.post_recv(rig.buf(), 9).unwrap();
}

#[test]
fn of_a_shared_queue_all_are_in_flight_where_nobody_says_which_was_refused() {
    let rig = Rig::new();
    let mut srq = rig.pd.create_srq(4, 1).unwrap();
    rig.fail_post_after(1, libc::EINVAL, BadWr::Null);
    let mut batch = srq.recv_batch();
    for token in 0..3 {
        batch.push(rig.buf(), token).unwrap();
    }
    let rejected = batch.post().unwrap_err();
    assert!(
        matches!(rejected.error, Error::PostUncertain { .. }),
        "{rejected}"
    );
    assert_eq!(
        (rejected.posted, rejected.rest.len(), srq.in_flight()),
        (3, 0, 3)
    );
    let rejected = srq.recv_batch().push(rig.buf(), 4).unwrap_err();
    assert!(matches!(rejected.error, Error::SrqFailed), "{rejected}");
}

#[test]
fn a_forgotten_batch_of_a_shared_queue_posts_nothing() {
    let rig = Rig::new();
    let mut srq = rig.pd.create_srq(4, 1).unwrap();
    let mut batch = srq.recv_batch();
    batch.push(rig.buf(), 1).unwrap();
    std::mem::forget(batch);
    let mut batch = srq.recv_batch();
    assert!(batch.is_empty());
    batch.push(rig.buf(), 2).unwrap();
    drop(batch);
    assert_eq!((srq.in_flight(), rig.free_slots()), (0, 16));
}
