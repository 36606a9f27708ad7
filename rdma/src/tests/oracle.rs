//! Does a device ever write to memory that is not its own at that time? And would these tests
//! notice?
//!
//! Each scenario ends well with the crate as it is, and badly with one bug put in.

use rstest::rstest;

use super::*;
use crate::sys::defect::{self, Defect};
use crate::{RemoteKey, RemoteSlice};

const PATTERN: u8 = 0xa5;

/// Lets the device write to everything it believes it has; the slots that nobody holds must not
/// change.
fn device_writes(rig: &Rig) -> Result<(), Vec<u32>> {
    rig.memory.region().fill_free(PATTERN);
    let posted = rig.fake.state().posted.clone();
    for work in posted {
        rig.fake.write(work, 0x11);
    }
    let changed = rig.memory.region().free_but_changed(PATTERN);
    if changed.is_empty() {
        Ok(())
    } else {
        Err(changed)
    }
}

/// A receive is posted, and the device writes.
fn post(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 0).unwrap();
    let written = device_writes(rig);
    // With a slot given out twice, nothing may be dropped in order any more.
    std::mem::forget(qp);
    written
}

/// Two receives are posted; the second completes first.
fn out_of_order(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 0).unwrap();
    qp.post_recv(rig.buf(), 1).unwrap();
    rig.fake.complete(Queue::Recv, 1, 0);
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Recv), [1]);
    device_writes(rig)
}

/// A queue pair is destroyed with a completion not polled, and another one posts.
fn stale(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut first = rig.qp();
    first.post_recv(rig.buf(), 0).unwrap();
    rig.fake.complete(Queue::Recv, 0, 0);
    drop(first);
    let mut second = rig.qp();
    second.post_recv(rig.buf(), 0).unwrap();
    drop(rig.complete_all(&mut second));
    device_writes(rig)
}

/// A post fails without a word about what was queued, and it was.
fn failed_post(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut qp = rig.qp();
    rig.fail_next_post(libc::EINVAL, BadWr::Null, true);
    drop(qp.post_send(rig.buf(), 0).unwrap_err());
    device_writes(rig)
}

/// A completion arrives twice, and there is another receive it could be taken for.
fn repeated(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 0).unwrap();
    qp.post_recv(rig.buf(), 1).unwrap();
    let first = rig.fake.posted(Queue::Recv)[0];
    rig.fake.complete(Queue::Recv, 0, 0);
    rig.fake.state().report(first, 0);
    drop(rig.complete_all(&mut qp));
    let written = device_writes(rig);
    drop(qp);
    written
}

/// The second of two receives of a shared queue completes first.
fn out_of_order_of_a_shared_queue(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut srq = rig.pd.create_srq(4, 1).unwrap();
    srq.post_recv(rig.buf(), 0).unwrap();
    srq.post_recv(rig.buf(), 1).unwrap();
    let mut second = rig.fake.posted(Queue::Recv)[1];
    {
        let mut state = rig.fake.state();
        second.cq = state.only_cq();
        state.finish(second, 0);
    }
    for mut completion in rig.cq.poll().unwrap() {
        drop(srq.complete(&mut completion).unwrap());
    }
    device_writes(rig)
}

/// A batch of reads goes through but for its last one.
fn failed_batch(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut qp = rig.qp();
    rig.fail_post_after(2, libc::ENOMEM, BadWr::Own);
    let there = RemoteSlice::new(0x1000, 100, RemoteKey::new(1));
    let mut batch = qp.batch();
    for token in 0..3 {
        batch.push(Wr::read(rig.buf(), there), token).unwrap();
    }
    drop(batch.post().unwrap_err());
    device_writes(rig)
}

/// A batch of receives goes through but for its last one.
fn failed_receives(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut qp = rig.qp();
    rig.fail_post_after(2, libc::ENOMEM, BadWr::Own);
    let mut batch = qp.recv_batch();
    for token in 0..3 {
        batch.push(rig.buf(), token).unwrap();
    }
    drop(batch.post().unwrap_err());
    device_writes(rig)
}

/// The same of a shared queue.
fn failed_receives_of_a_shared_queue(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut srq = rig.pd.create_srq(4, 1).unwrap();
    rig.fail_post_after(2, libc::ENOMEM, BadWr::Own);
    let mut batch = srq.recv_batch();
    for token in 0..3 {
        batch.push(rig.buf(), token).unwrap();
    }
    drop(batch.post().unwrap_err());
    device_writes(rig)
}

/// An atomic write fails without a word about what was queued, and it was. Its completion must not
/// stand for the read that would be in its place.
fn failed_extended_post(rig: &mut Rig) -> Result<(), Vec<u32>> {
    let mut qp = connected(&rig.pd, &rig.cq, DEPTH.atomic_writes());
    let there = RemoteSlice::new(0x1000, 100, RemoteKey::new(1));
    rig.fail_next_post(libc::EINVAL, BadWr::Null, true);
    let word = there.word(0).unwrap();
    drop(
        qp.post_extended(Wr::atomic_write([1; 8], word), 0)
            .unwrap_err(),
    );
    drop(qp.post(Wr::read(rig.buf(), there), 1));
    // Not by `complete`, which would end both if they had one id.
    let first = rig.fake.state().posted.pop_front().unwrap();
    rig.fake.state().report(first, 0);
    drop(rig.complete_all(&mut qp));
    device_writes(rig)
}

type Scenario = fn(&mut Rig) -> Result<(), Vec<u32>>;

#[rstest]
#[case::free_at_post(post as Scenario, Defect::FreeAtPost)]
#[case::retire_receives_by_prefix(out_of_order as Scenario, Defect::RetireReceivesByPrefix)]
#[case::reuse_a_tag(stale as Scenario, Defect::ReuseTag)]
#[case::hand_back_after_a_failed_post(failed_post as Scenario, Defect::HandBackAfterFailedPost)]
#[case::take_repeated_completions(repeated as Scenario, Defect::TakeRepeatedCompletions)]
#[case::retire_shared_in_order(out_of_order_of_a_shared_queue as Scenario, Defect::RetireSharedInOrder)]
#[case::hand_back_what_a_batch_posted(failed_batch as Scenario, Defect::HandBackAcceptedOfABatch)]
#[case::hand_back_what_a_batch_of_receives_posted(failed_receives as Scenario, Defect::HandBackAcceptedReceives)]
#[case::hand_back_what_a_shared_batch_posted(failed_receives_of_a_shared_queue as Scenario, Defect::HandBackAcceptedReceives)]
#[case::forget_a_failed_extended_post(failed_extended_post as Scenario, Defect::ForgetAFailedExtendedPost)]
fn the_device_writes_to_nothing_but_what_it_has_and_the_bug_is_noticed(
    #[case] scenario: Scenario,
    #[case] bug: Defect,
) {
    let sound = defect::with(None, || scenario(&mut Rig::new()));
    assert_eq!(sound, Ok(()));
    let buggy = defect::with(Some(bug), || scenario(&mut Rig::new()));
    assert!(buggy.is_err(), "the oracle did not notice {bug:?}");
}
