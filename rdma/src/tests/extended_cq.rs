//! Extended completion queues: the same completions, with times.

use std::time::{Duration, UNIX_EPOCH};

use rstest::rstest;

use super::*;
use crate::sys::counting::allocations;
use crate::sys::fake::Extras;
use crate::{CqAttr, Lacking, WcStatus};

/// A rig whose completion queue is as `attr` says.
fn rig(attr: impl FnOnce(CqAttr) -> CqAttr) -> Rig {
    let mut rig = Rig::new();
    rig.cq = rig.context.create_cq_with(&attr(CqAttr::new(32))).unwrap();
    rig
}

/// What a message with immediate, a plain one, sends, and a flush are told as.
fn told(rig: &mut Rig) -> Vec<String> {
    let mut qp = rig.qp();
    for token in 0..3 {
        qp.post_recv(rig.buf(), token).unwrap();
        qp.post(Wr::send(rig.buf()), token).unwrap();
    }
    let mut all = Vec::new();
    for (wc_flags, imm_or_rkey) in [(2, 7_u32.to_be()), (0, 9), (8, 11)] {
        let mut posted = rig.fake.posted(Queue::Recv)[0];
        (posted.wc_flags, posted.imm_or_rkey, posted.length) = (wc_flags, imm_or_rkey, 5);
        rig.fake.state().finish(posted, 0x5a);
    }
    rig.fake.complete(Queue::Send, 0, 0);
    rig.fake.state().flush();
    for mut completion in rig.cq.poll().unwrap() {
        let head = (
            completion.qp_number() == qp.number().number(),
            completion.opcode(),
        );
        let done = qp.complete(&mut completion).unwrap().unwrap();
        let tail = (
            done.imm(),
            done.invalidated(),
            done.received_len(),
            done.vendor_error,
        );
        let what = (done.queue, done.token, done.status, done.message().len());
        all.push(format!("{head:?} {what:?} {tail:?}"));
    }
    all
}

#[test]
fn completions_are_those_of_a_plain_queue() {
    let plain = told(&mut Rig::new());
    assert_eq!(plain.len(), 6);
    assert!(plain[0].contains("Some(7)"), "{plain:?}");
    assert_eq!(told(&mut rig(CqAttr::extended)), plain);
    assert_eq!(told(&mut rig(|attr| attr.timestamps().wallclock())), plain);
}

#[rstest]
#[case::none(CqAttr::extended as fn(CqAttr) -> CqAttr, false, false)]
#[case::ticks(CqAttr::timestamps, true, false)]
#[case::wallclock(CqAttr::wallclock, false, true)]
#[case::both(|attr: CqAttr| attr.timestamps().wallclock(), true, true)]
fn each_says_when_it_was_over_if_that_was_asked_for(
    #[case] attr: fn(CqAttr) -> CqAttr,
    #[case] ticks: bool,
    #[case] wallclock: bool,
) {
    let mut rig = rig(attr);
    let mut qp = rig.qp();
    for token in 0..3 {
        qp.post_send(rig.buf(), token).unwrap();
        rig.fake.complete(Queue::Send, 0, 0);
    }
    let all: Vec<_> = rig
        .cq
        .poll()
        .unwrap()
        .map(|one| (one.timestamp(), one.wallclock()))
        .collect();
    let expected = (101..104).map(|tick| {
        let time = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_000 + tick);
        (ticks.then_some(tick), wallclock.then_some(time))
    });
    assert_eq!(all, expected.collect::<Vec<_>>());
}

#[test]
fn what_was_not_taken_comes_again_with_its_own_time() {
    let mut rig = rig(CqAttr::timestamps);
    let mut qp = rig.qp();
    for token in 0..4 {
        qp.post_send(rig.buf(), token).unwrap();
        rig.fake.complete(Queue::Send, 0, 0);
    }
    let first = rig.cq.poll().unwrap().next().unwrap().timestamp();
    assert_eq!(first, Some(101));
    let rest: Vec<_> = rig
        .cq
        .poll()
        .unwrap()
        .map(|one| one.timestamp().unwrap())
        .collect();
    assert_eq!(rest, [102, 103, 104]);
    assert_eq!(rig.cq.poll().unwrap().count(), 0);
}

#[test]
fn more_than_a_batch_comes_in_several() {
    let mut rig = rig(CqAttr::timestamps);
    let mut qp = connected(&rig.pd, &rig.cq, QpCap::new(16, 16));
    for token in 0..16 {
        qp.post(Wr::send(crate::Bufs::None), token).unwrap();
        qp.post_recv(crate::Bufs::None, token).unwrap();
    }
    rig.fake.state().flush();
    let counts: Vec<_> = (0..3).map(|_| rig.cq.poll().unwrap().count()).collect();
    assert_eq!(counts, [16, 16, 0]);
}

/// The queue is locked from the beginning of a poll to its end, so nothing of the user's may be in
/// between.
#[test]
fn the_queue_is_not_locked_while_a_handler_runs_panics_or_forgets() {
    let mut rig = rig(CqAttr::timestamps);
    let mut qp = rig.qp();
    for token in 0..3 {
        qp.post_send(rig.buf(), token).unwrap();
        rig.fake.complete(Queue::Send, 0, 0);
    }
    let handled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let completion = rig.cq.poll().unwrap().next();
        assert_eq!(rig.fake.state().open_polls, 0);
        std::panic::resume_unwind(Box::new(completion.is_some()));
    }));
    assert!(handled.is_err());
    // Neither has anything to drop: forgetting them cannot matter.
    assert!(!std::mem::needs_drop::<crate::Completions<'_>>());
    assert!(!std::mem::needs_drop::<crate::Completion<'_>>());
    assert_eq!(rig.fake.state().open_polls, 0);
    assert_eq!(rig.cq.poll().unwrap().count(), 2);
}

#[test]
fn a_poll_that_fails_half_way_keeps_what_it_has_and_then_fails_for_ever() {
    let mut rig = rig(CqAttr::timestamps);
    let mut qp = rig.qp();
    for token in 0..3 {
        qp.post_send(rig.buf(), token).unwrap();
        rig.fake.complete(Queue::Send, 0, 0);
    }
    rig.fake.state().start_poll_fails = Some((2, libc::EIO));
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Send), [0, 1]);
    for _ in 0..2 {
        let error = rig.cq.poll().unwrap_err();
        assert!(
            matches!(error, Error::CqFailed { result: libc::EIO }),
            "{error}"
        );
        rig.fake.state().start_poll_fails = None;
    }
    drop(qp);
    assert!(rig.pd.create_rc(&rig.cq, &rig.cq, DEPTH).is_err());
}

#[test]
fn the_room_of_a_destroyed_queue_pair_is_free_again() {
    let mut rig = rig(CqAttr::timestamps);
    let mut qp = rig.qp();
    qp.post_send(rig.buf(), 1).unwrap();
    rig.fake.complete(Queue::Send, 0, 0);
    drop(qp);
    assert_eq!(rig.cq.poll().unwrap().count(), 1);
    assert_eq!(rig.cq.handle().reserved(), 8);
    assert_eq!(rig.cq.poll().unwrap().count(), 0);
    assert_eq!(rig.cq.handle().reserved(), 0);
}

#[test]
fn it_can_be_waited_for() {
    let mut rig = Rig::new();
    let channel = rig.context.create_comp_channel().unwrap();
    let attr = CqAttr::new(32).timestamps().events(&channel);
    rig.cq = rig.context.create_cq_with(&attr).unwrap();
    let mut qp = rig.qp();
    rig.cq.arm(crate::Arm::Any).unwrap();
    qp.post_send(rig.buf(), 1).unwrap();
    rig.fake.complete(Queue::Send, 0, 0);
    assert_eq!(channel.next_event().unwrap(), Some(rig.cq.number()));
    assert_eq!(rig.cq.wait(Duration::ZERO).unwrap().count(), 1);
}

#[test]
fn polling_allocates_nothing() {
    let mut rig = rig(|attr| attr.timestamps().wallclock());
    let mut qp = rig.qp();
    let mut message = Some(rig.buf());
    let counted = allocations(|| {
        for _ in 0..100 {
            qp.post_send(message.take().unwrap(), 0).unwrap();
            rig.fake.complete_oldest(Queue::Send, 0);
            for mut completion in rig.cq.poll().unwrap() {
                let done = qp.complete(&mut completion).unwrap().unwrap();
                assert_eq!(done.status, WcStatus::Success);
                message = done.into_buf();
            }
        }
    });
    assert_eq!(counted, 0);
}

const TICKS: u64 = 1 << 7;
const WALLCLOCK: u64 = 1 << 11;

#[rstest]
#[case::no_clock(0, u64::MAX, CqAttr::timestamps as fn(CqAttr) -> CqAttr, "completion timestamps", Lacking::Device)]
#[case::no_wall_clock(
    0,
    u64::MAX,
    CqAttr::wallclock,
    "completion times by the wall clock",
    Lacking::Device
)]
#[case::old_provider(1, !TICKS, CqAttr::timestamps, "completion timestamps", Lacking::Library)]
#[case::ticks_only(1, !WALLCLOCK, CqAttr::wallclock, "completion times by the wall clock", Lacking::Library)]
#[case::nothing_extended(1, 0, CqAttr::extended, "extended completion queues", Lacking::Library)]
fn what_is_missing_is_named(
    #[case] timestamp_mask: u64,
    #[case] wc_flags: u64,
    #[case] attr: fn(CqAttr) -> CqAttr,
    #[case] feature: &str,
    #[case] lacking: Lacking,
) {
    let rig = Rig::new();
    rig.fake.state().wc_flags = wc_flags;
    rig.fake.state().extras = Some(Extras {
        capabilities: 0,
        timestamp_mask,
        core_clock_khz: 0,
    });
    let error = rig
        .context
        .create_cq_with(&attr(CqAttr::new(4)))
        .unwrap_err();
    match &error {
        Error::Unsupported {
            feature: is,
            lacking: at,
            ..
        } => {
            assert_eq!((*is, *at), (feature, lacking));
        }
        _ => panic!("{error}"),
    }
}

#[test]
fn a_provider_that_makes_less_than_it_was_asked_for_is_not_believed() {
    let rig = Rig::new();
    rig.fake.state().forget_wc_flags = true;
    let error = rig
        .context
        .create_cq_with(&CqAttr::new(4).timestamps())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unsupported {
                lacking: Lacking::Library,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(rig.fake.state().count("destroy_cq"), 1);
}
