//! Queue pairs that receive what is sent to groups.

use super::*;
use crate::{Group, Leaks, Qkey, Ud, leaks};

const QKEY: Qkey = Qkey::new(0x1111_1111);

fn group(last: u8) -> Group {
    Group::of([239, 1, 2, last].into()).unwrap()
}

fn datagrams(rig: &Rig) -> Qp<Ud, Rts> {
    let qp = rig.pd.create_ud(&rig.cq, &rig.cq, DEPTH).unwrap();
    let qp = qp.init(PortNum::FIRST, QKEY).unwrap().rtr().unwrap();
    qp.rts(Psn::new(2).unwrap()).unwrap()
}

#[test]
fn a_queue_pair_is_attached_once_and_detached_before_it_is_destroyed() {
    let rig = Rig::new();
    let before = leaks();
    let mut qp = datagrams(&rig);
    for last in [1, 2, 1] {
        qp.attach(group(last)).unwrap();
    }
    assert_eq!(rig.fake.state().count("attach_mcast"), 2);
    qp.detach(group(2)).unwrap();
    let error = qp.detach(group(2)).unwrap_err();
    assert!(error.to_string().contains("::ffff:239.1.2.2"), "{error}");
    assert!(matches!(error, Error::NotAttached { .. }));
    qp.close().unwrap();
    let state = rig.fake.state();
    assert_eq!(
        (state.count("detach_mcast"), state.count("destroy_qp")),
        (2, 1)
    );
    assert_eq!(leaks(), before);
}

#[test]
fn one_that_cannot_be_detached_keeps_everything_it_may_use() {
    let rig = Rig::new();
    let fake = rig.fake.clone();
    let before = leaks();
    let mut qp = datagrams(&rig);
    qp.attach(group(1)).unwrap();
    qp.post_recv(rig.buf(), 0).unwrap();
    let posted = fake.posted(Queue::Recv)[0];
    fake.state().refuse_detach = Some(libc::EIO);
    let error = qp.close().unwrap_err();
    assert!(error.to_string().contains("ibv_destroy_qp"), "{error}");
    drop(rig);
    // What is sent to the group still comes in.
    fake.write(posted, 1);
    assert_eq!(fake.state().refused_dma, 0);
    let leaked = Leaks {
        qps: before.qps + 1,
        bytes: before.bytes + 100,
        ..before
    };
    assert_eq!(leaks(), leaked);
}

#[test]
fn a_refusal_names_the_group_and_leaves_the_queue_pair_as_it_was() {
    let rig = Rig::new();
    let mut qp = datagrams(&rig);
    rig.fake.state().refuse_attach = Some(libc::ENOMEM);
    let error = qp.attach(group(1)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("ibv_attach_mcast") && text.contains("::ffff:239.1.2.1"),
        "{text}"
    );
    assert!(matches!(
        qp.detach(group(1)),
        Err(Error::NotAttached { .. })
    ));
    rig.fake.state().refuse_attach = None;
    qp.attach(group(1)).unwrap();
    rig.fake.state().refuse_detach = Some(libc::EIO);
    let error = qp.detach(group(1)).unwrap_err();
    assert!(error.to_string().contains("ibv_detach_mcast"), "{error}");
    rig.fake.state().refuse_detach = None;
    // It is still attached, and ends as one that is.
    qp.close().unwrap();
}

#[test]
fn a_reset_does_not_end_it() {
    let rig = Rig::new();
    let mut qp = datagrams(&rig);
    qp.attach(group(1)).unwrap();
    let (qp, _) = qp.reset().unwrap();
    assert_eq!(rig.fake.state().count("detach_mcast"), 0);
    qp.close().unwrap();
    assert_eq!(rig.fake.state().count("detach_mcast"), 1);
}
