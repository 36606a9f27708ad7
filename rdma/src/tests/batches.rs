//! Several sends with one doorbell.

use rstest::rstest;

use super::*;

fn bytes(rig: &Rig, text: &[u8]) -> Buf {
    let mut buf = rig.buf();
    buf.set_len(text.len());
    buf.copy_from_slice(text);
    buf
}

#[test]
fn a_batch_is_posted_in_order_with_one_call() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    let mut batch = qp.batch();
    batch.push(Wr::send(bytes(&rig, b"one")), 1).unwrap();
    batch
        .push(Wr::send(bytes(&rig, b"three")).unsignalled(), 2)
        .unwrap();
    batch.push(Wr::send(bytes(&rig, b"")), 3).unwrap();
    assert_eq!((batch.len(), rig.fake.state().doorbells), (3, 0));
    batch.post().unwrap();
    assert_eq!(rig.fake.state().doorbells, 1);
    let posted = rig.fake.posted(Queue::Send);
    let seen: Vec<_> = posted.iter().map(|wr| (wr.length, wr.signalled)).collect();
    assert_eq!(seen, [(3, true), (5, false), (0, true)]);
    rig.fake.complete(Queue::Send, 0, 0);
    rig.fake.complete(Queue::Send, 1, 0);
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Send), [1, 2, 3]);
    assert_eq!(done[1].message(), b"three");
    assert_eq!(qp.in_flight(Queue::Send), 0);
}

#[test]
fn the_last_of_a_full_queue_is_signalled_in_a_batch_too() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    let mut batch = qp.batch();
    for token in 0..4 {
        batch
            .push(Wr::send(rig.buf()).unsignalled(), token)
            .unwrap();
    }
    batch.post().unwrap();
    let signalled: Vec<_> = rig
        .fake
        .posted(Queue::Send)
        .iter()
        .map(|wr| wr.signalled)
        .collect();
    assert_eq!(signalled, [false, false, false, true]);
}

#[test]
fn a_batch_takes_no_more_than_the_queue_has_room_for() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_send(rig.buf(), 0).unwrap();
    let mut batch = qp.batch();
    for token in 0..3 {
        batch.push(Wr::send(rig.buf()), token).unwrap();
    }
    let rejected = batch.push(Wr::send(rig.buf()), 3).unwrap_err();
    assert!(
        matches!(rejected.error, Error::QueueFull { depth: 4, .. }),
        "{rejected}"
    );
    assert!(rejected.bufs.is_some());
    batch.post().unwrap();
    assert_eq!(rig.fake.posted(Queue::Send).len(), 4);
}

#[rstest]
#[case::dropped(false)]
#[case::forgotten(true)]
fn a_batch_that_is_not_posted_is_not_posted(#[case] is_forgotten: bool) {
    let rig = Rig::new();
    let mut qp = rig.qp();
    let gone = vec![7; 8];
    {
        let mut batch = qp.batch();
        batch.push(Wr::send(rig.buf()), 1).unwrap();
        assert!(
            batch.push(Wr::send_inline(&gone), 2).is_err(),
            "the queue pair carries none"
        );
        if is_forgotten {
            std::mem::forget(batch);
        }
    }
    drop(gone);
    let mut batch = qp.batch();
    assert!(batch.is_empty());
    batch.push(Wr::send(rig.buf()), 3).unwrap();
    batch.post().unwrap();
    assert_eq!(
        (rig.fake.posted(Queue::Send).len(), rig.free_slots()),
        (1, 15)
    );
}

#[test]
fn an_empty_batch_calls_nobody() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    qp.batch().post().unwrap();
    assert_eq!(rig.fake.state().doorbells, 0);
}

#[rstest]
#[case(0)]
#[case(1)]
#[case(2)]
fn what_was_not_posted_comes_back_with_its_token(#[case] good: usize) {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    rig.fail_post_after(good, libc::ENOMEM, BadWr::Own);
    let mut batch = qp.batch();
    for token in 0..3 {
        batch
            .push(
                Wr::send(bytes(&rig, &[b'0' + u8::try_from(token).unwrap()])),
                token,
            )
            .unwrap();
    }
    let rejected = batch.post().unwrap_err();
    assert!(matches!(rejected.error, Error::Verb { .. }), "{rejected}");
    assert_eq!(rejected.posted, good);
    let rest: Vec<_> = rejected
        .rest
        .iter()
        .map(|(bufs, token)| (bufs.as_slice()[0][0], *token))
        .collect();
    let want: Vec<_> = (good..3)
        .map(|n| (b'0' + u8::try_from(n).unwrap(), n as u64))
        .collect();
    assert_eq!(rest, want);
    assert_eq!(qp.in_flight(Queue::Send) as usize, good);
    // The queue pair goes on as if the rest had never been.
    qp.post_send(rig.buf(), 9).unwrap();
    for _ in 0..=good {
        rig.fake.complete_oldest(Queue::Send, 0);
    }
    let done = rig.complete_all(&mut qp).unwrap();
    let want: Vec<_> = (0..good as u64).chain([9]).collect();
    assert_eq!(tokens(&done, Queue::Send), want);
}

#[rstest]
#[case::null(BadWr::Null)]
#[case::foreign(BadWr::Foreign)]
fn when_nobody_says_what_was_posted_all_of_it_counts_as_posted(#[case] bad_wr: BadWr) {
    let rig = Rig::new();
    let mut qp = rig.qp();
    rig.fail_post_after(1, libc::EINVAL, bad_wr);
    let mut batch = qp.batch();
    for token in 0..3 {
        batch.push(Wr::send(rig.buf()), token).unwrap();
    }
    let rejected = batch.post().unwrap_err();
    assert!(
        matches!(rejected.error, Error::PostUncertain { .. }),
        "{rejected}"
    );
    assert_eq!((rejected.posted, rejected.rest.len()), (3, 0));
    assert_eq!((qp.in_flight(Queue::Send), rig.free_slots()), (3, 13));
    assert!(qp.has_failed());
}

#[test]
fn batches_allocate_once() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    let mut bufs = vec![rig.buf(), rig.buf()];
    let mut round = |qp: &mut Qp<Rc, Rts>, bufs: &mut Vec<Buf>| {
        let mut batch = qp.batch();
        for buf in bufs.drain(..) {
            batch.push(Wr::send(buf), 0).unwrap();
        }
        batch.post().unwrap();
        for _ in 0..2 {
            rig.fake.complete_oldest(Queue::Send, 0);
        }
        for mut completion in rig.cq.poll().unwrap() {
            while let Some(done) = qp.complete(&mut completion).unwrap() {
                bufs.extend(done.into_buf());
            }
        }
    };
    round(&mut qp, &mut bufs);
    let allocations = crate::sys::counting::allocations(|| {
        for _ in 0..100 {
            round(&mut qp, &mut bufs);
        }
    });
    assert_eq!(allocations, 0);
}
