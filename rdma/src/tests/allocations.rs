//! Posting and polling allocate nothing.

use super::*;
use crate::sys::counting::allocations;

#[test]
fn a_thousand_round_trips_allocate_nothing() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    let mut message = Some(rig.buf());
    qp.post_recv(rig.buf(), 0).unwrap();
    let round_trips =
        |rig: &mut Rig, qp: &mut Qp<Rc, Rts>, message: &mut Option<Buf>, count: u32| {
            for _ in 0..count {
                qp.post_send(message.take().unwrap(), 0).unwrap();
                rig.fake.complete_oldest(Queue::Send, 0);
                rig.fake.complete_oldest(Queue::Recv, 1);
                for mut completion in rig.cq.poll().unwrap() {
                    while let Some(done) = qp.complete(&mut completion).unwrap() {
                        match done.queue {
                            Queue::Send => *message = done.into_buf(),
                            Queue::Recv => qp.post_recv(done.bufs, 0).unwrap(),
                        }
                    }
                }
            }
        };
    round_trips(&mut rig, &mut qp, &mut message, 10);
    let counted = allocations(|| round_trips(&mut rig, &mut qp, &mut message, 1000));
    assert_eq!(counted, 0);
}

#[test]
fn a_full_queue_allocates_nothing() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    for _ in 0..4 {
        qp.post_send(rig.buf(), 0).unwrap();
    }
    let mut buf = Some(rig.buf());
    let counted = allocations(|| {
        for _ in 0..100 {
            let rejected = qp.post_send(buf.take().unwrap(), 0).unwrap_err();
            buf = rejected.into_buf();
        }
    });
    assert_eq!(counted, 0);
}
