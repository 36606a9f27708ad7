//! Completions that are late, repeated, of somebody else, or of nobody.

use rstest::rstest;

use super::*;
use crate::{WcOpcode, WcStatus};

#[test]
fn a_receive_completion_out_of_order_retires_its_own_buffer_only() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    for token in 0..3 {
        qp.post_recv(rig.buf(), token).unwrap();
    }
    for (index, token) in [(2, 2), (0, 0), (0, 1)] {
        rig.fake.complete(Queue::Recv, index, 1);
        assert_eq!(
            tokens(&rig.complete_all(&mut qp).unwrap(), Queue::Recv),
            [token]
        );
    }
}

#[test]
fn a_repeated_completion_poisons_the_queue_pair() {
    for queue in [Queue::Send, Queue::Recv] {
        let mut rig = Rig::new();
        let mut qp = rig.qp();
        qp.post_send(rig.buf(), 1).unwrap();
        qp.post_recv(rig.buf(), 2).unwrap();
        let posted = rig.fake.posted(queue)[0];
        rig.fake.complete(queue, 0, 0);
        assert_eq!(tokens(&rig.complete_all(&mut qp).unwrap(), queue).len(), 1);

        rig.fake.state().report(posted, 0);
        let error = rig.complete_all(&mut qp).unwrap_err();
        assert!(matches!(error, Error::QpPoisoned { .. }), "{error}");
        let rejected = qp.post_send(rig.buf(), 3).unwrap_err();
        assert!(matches!(rejected.error, Error::QpPoisoned { .. }) && rejected.bufs.is_some());
        // One buffer is still in flight; it is never given to anybody again.
        let free = rig.free_slots();
        drop(qp);
        assert_eq!(rig.free_slots(), free);
        assert_eq!(rig.fake.state().count("destroy_qp"), 1);
    }
}

#[test]
fn numbers_that_nobody_has_a_name_for_are_told_as_they_are() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 1).unwrap();
    let posted = rig.fake.posted(Queue::Recv)[0];
    rig.fake.state().report(posted, 77);
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(done[0].status, WcStatus::Unknown(77));
    assert!(done[0].check().unwrap_err().to_string().contains("77"));
    assert_eq!(WcOpcode::from_raw(4711), WcOpcode::Unknown(4711));
}

#[test]
fn a_completion_of_work_never_posted_poisons_the_queue_pair() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 1).unwrap();
    let mut forged = rig.fake.posted(Queue::Recv)[0];
    forged.wr_id += 1;
    rig.fake.state().report(forged, 0);
    assert!(matches!(
        rig.complete_all(&mut qp),
        Err(Error::QpPoisoned { .. })
    ));
}

#[test]
fn a_message_longer_than_its_buffer_poisons_the_queue_pair() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 1).unwrap();
    let mut forged = rig.fake.posted(Queue::Recv)[0];
    forged.length = 101;
    rig.fake.state().report(forged, 0);
    assert!(matches!(
        rig.complete_all(&mut qp),
        Err(Error::QpPoisoned { .. })
    ));
    assert_eq!(
        qp.in_flight(Queue::Recv),
        1,
        "the buffer is still accounted for"
    );
}

#[rstest]
#[case(0)]
#[case(1)]
#[case(u64::from(u32::MAX))]
#[case(u64::MAX)]
#[case(0x7fff_ffff_0000_0000)]
fn an_id_of_nobody_is_nobodys(#[case] wr_id: u64) {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 1).unwrap();
    let mut forged = rig.fake.posted(Queue::Recv)[0];
    forged.wr_id = wr_id;
    rig.fake.state().report(forged, 0);
    for mut completion in rig.cq.poll().unwrap() {
        assert!(!qp.owns(&completion));
        assert!(matches!(
            qp.complete(&mut completion),
            Err(Error::OtherQp { .. })
        ));
    }
    assert!(!qp.has_failed());
}

#[test]
fn a_completion_finds_its_queue_pair_among_those_on_one_cq() {
    let mut rig = Rig::new();
    let mut qps = [rig.qp(), rig.qp()];
    qps[0].post_recv(rig.buf(), 10).unwrap();
    qps[1].post_recv(rig.buf(), 11).unwrap();
    rig.fake.complete(Queue::Recv, 1, 0);
    rig.fake.complete(Queue::Recv, 0, 0);
    let mut order = Vec::new();
    for mut completion in rig.cq.poll().unwrap() {
        let number = completion.qp_number();
        let qp = qps.iter_mut().find(|qp| qp.owns(&completion)).unwrap();
        assert_eq!(qp.number().number(), number);
        assert_eq!(completion.opcode(), WcOpcode::Recv);
        order.push(qp.complete(&mut completion).unwrap().unwrap().token);
        assert!(
            qp.complete(&mut completion).unwrap().is_none(),
            "nothing more in it"
        );
    }
    assert_eq!(order, [11, 10]);
}

#[test]
fn a_completion_of_a_destroyed_queue_pair_is_not_taken_for_the_next_ones() {
    let mut rig = Rig::new();
    let mut first = rig.qp();
    first.post_recv(rig.buf(), 1).unwrap();
    rig.fake.complete(Queue::Recv, 0, 0);
    drop(first);
    let mut second = rig.qp();
    second.post_recv(rig.buf(), 2).unwrap();
    let stale = rig.complete_all(&mut second);
    assert!(matches!(stale, Err(Error::OtherQp { .. })));
    assert_eq!(second.in_flight(Queue::Recv), 1);
}

#[test]
fn a_completion_of_another_device_is_not_taken() {
    // Tags are unique in the process: the first queue pairs of two devices differ, too.
    let mut rig = Rig::new();
    let mut other = Rig::new();
    let mut qp = rig.qp();
    let mut others = other.qp();
    qp.post_recv(rig.buf(), 1).unwrap();
    others.post_recv(other.buf(), 2).unwrap();
    other.fake.complete(Queue::Recv, 0, 0);
    assert!(matches!(
        other.complete_all(&mut qp),
        Err(Error::OtherQp { .. })
    ));
    assert_eq!(
        tokens(&rig.complete_all(&mut qp).unwrap(), Queue::Recv),
        [0u64; 0]
    );
}
