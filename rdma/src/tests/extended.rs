//! Work that only extended queue pairs know.

use rstest::rstest;

use super::*;
use crate::sys::fake::{Extras, Prepared};
use crate::{ExtendedWr, Flush, Lacking, RemoteAccess, RemoteKey, RemoteSlice};

const ATOMIC_WRITE: u64 = 1 << 40;
const FLUSH: u64 = 1 << 38;

fn there(len: u64) -> RemoteSlice {
    RemoteSlice::new(0x1000, len, RemoteKey::new(0x77))
}

fn atomic_write() -> ExtendedWr {
    Wr::atomic_write([1, 2, 3, 4, 5, 6, 7, 8], there(16).word(8).unwrap())
}

/// A queue pair that was made for all of it.
fn extended(rig: &Rig) -> Qp<Rc, Rts> {
    connected(&rig.pd, &rig.cq, DEPTH.atomic_writes().flushes())
}

const NOTHING: Prepared = Prepared {
    wr_id: 0,
    flags: 0,
    opcode: 0,
    rkey: 0x77,
    addr: 0,
    number: 0,
    placement: 0,
    level: 0,
};

#[rstest]
#[case::atomic_write(
    atomic_write(),
    Prepared { flags: 2, opcode: 15, addr: 0x1008, number: u64::from_ne_bytes([1, 2, 3, 4, 5, 6, 7, 8]), ..NOTHING }
)]
#[case::flush_seen_by_all(
    Wr::flush(there(16), Flush::Global),
    Prepared { flags: 2, opcode: 14, addr: 0x1000, number: 16, placement: 1, ..NOTHING }
)]
#[case::flush_that_lasts(
    Wr::flush(there(0), Flush::Persistent).fenced(),
    Prepared { flags: 3, opcode: 14, addr: 0x1000, placement: 2, ..NOTHING }
)]
#[case::flush_of_all_there_is(
    Wr::flush_region(RemoteKey::new(0x77), Flush::Global).unsignalled(),
    Prepared { opcode: 14, placement: 1, level: 1, ..NOTHING }
)]
fn requests_are_what_the_provider_is_told(#[case] wr: ExtendedWr, #[case] expected: Prepared) {
    let rig = Rig::new();
    let mut qp = extended(&rig);
    qp.post_extended(wr, 9).unwrap();
    let prepared = rig.fake.state().prepared.remove(0);
    assert_eq!(
        Prepared {
            wr_id: 0,
            ..prepared
        },
        expected
    );
    assert_eq!(rig.fake.state().count("create_qp_ex"), 1);
}

#[test]
fn they_share_the_send_queue_with_the_other_requests() {
    let mut rig = Rig::new();
    let mut qp = extended(&rig);
    qp.post_send(rig.buf(), 1).unwrap();
    qp.post_extended(atomic_write().unsignalled(), 2).unwrap();
    qp.post_extended(Wr::flush(there(8), Flush::Global), 3)
        .unwrap();
    qp.post(Wr::send(rig.buf()).unsignalled(), 4).unwrap();
    let rejected = qp.post_extended(atomic_write(), 5).unwrap_err();
    assert!(
        matches!(rejected.error, Error::QueueFull { depth: 4, .. }),
        "{rejected}"
    );
    rig.fake.complete(Queue::Send, 0, 0);
    rig.fake.complete(Queue::Send, 1, 0);
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Send), [1, 2, 3]);
    assert_eq!(qp.in_flight(Queue::Send), 1);
}

#[test]
fn a_queue_full_of_unsignalled_ones_still_comes_back() {
    let mut rig = Rig::new();
    let mut qp = extended(&rig);
    for token in 0..4 {
        qp.post_extended(atomic_write().unsignalled(), token)
            .unwrap();
    }
    let last = rig.fake.posted(Queue::Send).len() - 1;
    rig.fake.complete(Queue::Send, last, 0);
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(tokens(&done, Queue::Send), [0, 1, 2, 3]);
}

#[rstest]
#[case::not_queued(false)]
#[case::queued(true)]
fn a_post_that_fails_may_be_underway_and_ends_the_queue_pair(#[case] queued: bool) {
    let rig = Rig::new();
    let mut qp = extended(&rig);
    rig.fail_next_post(libc::ENOMEM, BadWr::Null, queued);
    let rejected = qp.post_extended(atomic_write(), 1).unwrap_err();
    assert!(
        matches!(rejected.error, Error::PostUncertain { .. }),
        "{rejected}"
    );
    assert_eq!(
        (qp.in_flight(Queue::Send), rig.fake.state().qp_state),
        (1, 6)
    );
    let rejected = qp.post_extended(atomic_write(), 2).unwrap_err();
    assert!(
        matches!(rejected.error, Error::QpFailed { .. }),
        "{rejected}"
    );
    assert_eq!(
        rig.fake.state().prepared.len(),
        1,
        "nothing more reached the device"
    );
}

#[test]
fn a_flush_longer_than_the_wire_can_say_is_refused() {
    let rig = Rig::new();
    let mut qp = extended(&rig);
    qp.post_extended(Wr::flush(there(u64::from(u32::MAX)), Flush::Global), 1)
        .unwrap();
    let rejected = qp
        .post_extended(Wr::flush(there(1 << 32), Flush::Global), 2)
        .unwrap_err();
    assert!(
        matches!(rejected.error, Error::WrongLength { most: u32::MAX, .. }),
        "{rejected}"
    );
    assert_eq!(rig.fake.state().prepared.len(), 1);
}

#[test]
fn a_queue_pair_that_was_not_made_for_it_takes_none() {
    let rig = Rig::new();
    let (mut plain, mut flushes) = (rig.qp(), connected(&rig.pd, &rig.cq, DEPTH.flushes()));
    for qp in [&mut plain, &mut flushes] {
        let rejected = qp.post_extended(atomic_write(), 1).unwrap_err();
        assert!(
            matches!(rejected.error, Error::NotMadeFor { .. }),
            "{rejected}"
        );
        assert_eq!(qp.in_flight(Queue::Send), 0);
    }
    assert!(rig.fake.state().prepared.is_empty());
}

fn extras(capabilities: u64) -> Option<Extras> {
    Some(Extras {
        capabilities,
        timestamp_mask: 0,
        core_clock_khz: 0,
    })
}

#[rstest]
#[case::no_word_of_it(None, u64::MAX, "atomic writes and flushes", Lacking::Device)]
#[case::neither(extras(0), u64::MAX, "atomic writes and flushes", Lacking::Device)]
#[case::only_flushes(extras(FLUSH), u64::MAX, "atomic writes", Lacking::Device)]
#[case::only_atomic_writes(extras(ATOMIC_WRITE), u64::MAX, "flushes", Lacking::Device)]
#[case::an_old_library(extras(u64::MAX), 1 << 12, "atomic writes and flushes", Lacking::Library)]
fn where_something_is_missing_the_error_says_what_and_where(
    #[case] extras: Option<Extras>,
    #[case] send_ops: u64,
    #[case] feature: &str,
    #[case] lacking: Lacking,
) {
    let rig = Rig::new();
    rig.fake.state().extras = extras;
    rig.fake.state().send_ops = send_ops;
    let cap = DEPTH.atomic_writes().flushes();
    let error = rig.pd.create_rc(&rig.cq, &rig.cq, cap).unwrap_err();
    match &error {
        Error::Unsupported {
            feature: is,
            device,
            lacking: at,
        } => {
            assert_eq!((*is, device.as_str(), *at), (feature, "fake0", lacking));
        }
        _ => panic!("{error}"),
    }
    assert_eq!(rig.cq.handle().reserved(), 0, "the room is free again");
    rig.pd.create_rc(&rig.cq, &rig.cq, DEPTH).unwrap();
}

#[test]
fn a_provider_that_makes_less_than_it_was_asked_for_is_not_believed() {
    let rig = Rig::new();
    rig.fake.state().forget_send_ops = true;
    let error = rig
        .pd
        .create_rc(&rig.cq, &rig.cq, DEPTH.flushes())
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
    assert_eq!(rig.fake.state().count("destroy_qp"), 1);
}

#[test]
fn other_types_than_rc_have_none_of_it() {
    let rig = Rig::new();
    let error = rig
        .pd
        .create_ud(&rig.cq, &rig.cq, DEPTH.atomic_writes())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unsupported {
                lacking: Lacking::QpType,
                ..
            }
        ),
        "{error}"
    );
}

#[rstest]
#[case::device_without(0, RemoteAccess::FLUSH_GLOBAL, true)]
#[case::not_the_other_kind(FLUSH, RemoteAccess::FLUSH_PERSISTENT, true)]
#[case::another_reason(FLUSH, RemoteAccess::FLUSH_GLOBAL, false)]
fn memory_to_be_flushed_is_refused_where_nothing_flushes(
    #[case] capabilities: u64,
    #[case] access: RemoteAccess,
    #[case] is_missing: bool,
) {
    let rig = Rig::new();
    rig.fake.state().extras = extras(capabilities);
    rig.fake.state().refuse_reg_mr = Some(libc::EINVAL);
    let error = rig
        .pd
        .register_exposed(64, access | RemoteAccess::WRITE)
        .unwrap_err();
    let is = matches!(
        error,
        Error::Unsupported {
            feature: "flushes",
            ..
        }
    );
    assert_eq!(is, is_missing, "{error}");
}
