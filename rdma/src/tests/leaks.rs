//! What cannot be released is counted.

use super::*;
use crate::{Leaks, leaks};

/// What `body` leaks.
fn leaked_by(body: impl FnOnce(&Fake, Rig)) -> Leaks {
    let rig = Rig::new();
    let fake = rig.fake.clone();
    let before = leaks();
    body(&fake, rig);
    let after = leaks();
    Leaks {
        qps: after.qps - before.qps,
        cqs: after.cqs - before.cqs,
        channels: after.channels - before.channels,
        pds: after.pds - before.pds,
        regions: after.regions - before.regions,
        windows: after.windows - before.windows,
        srqs: after.srqs - before.srqs,
        ahs: after.ahs - before.ahs,
        contexts: after.contexts - before.contexts,
        bytes: after.bytes - before.bytes,
    }
}

#[test]
fn nothing_is_leaked_by_what_works() {
    let leaked = leaked_by(|_, rig| {
        let mut qp = rig.qp();
        qp.post_recv(rig.buf(), 0).unwrap();
        qp.post_send(rig.buf(), 0).unwrap();
    });
    assert_eq!(leaked, Leaks::default());
}

#[test]
fn a_queue_pair_with_its_buffers() {
    let leaked = leaked_by(|fake, rig| {
        let mut qp = rig.qp();
        qp.post_recv(rig.buf(), 0).unwrap();
        qp.post_send(rig.buf(), 0).unwrap();
        fake.state().refuse_destroy_qp = true;
    });
    let expected = Leaks {
        qps: 1,
        bytes: 200,
        ..Leaks::default()
    };
    assert_eq!(leaked, expected);
}

#[test]
fn the_buffers_of_a_poisoned_queue_pair() {
    let leaked = leaked_by(|fake, mut rig| {
        let mut qp = rig.qp();
        qp.post_recv(rig.buf(), 0).unwrap();
        let mut forged = fake.posted(Queue::Recv)[0];
        forged.wr_id += 1;
        fake.state().report(forged, 0);
        rig.complete_all(&mut qp).unwrap_err();
    });
    let expected = Leaks {
        bytes: 100,
        ..Leaks::default()
    };
    assert_eq!(leaked, expected);
}

#[test]
fn each_other_object_that_cannot_be_released() {
    let leaked = leaked_by(|fake, _rig| fake.state().refuse_destroy_cq = true);
    assert_eq!((leaked.cqs, leaked.contexts, leaked.bytes), (1, 0, 0));
    let leaked = leaked_by(|fake, _rig| fake.state().refuse_dealloc_pd = true);
    assert_eq!((leaked.pds, leaked.contexts, leaked.bytes), (1, 0, 0));
    let leaked = leaked_by(|fake, _rig| fake.state().refuse_close = true);
    assert_eq!((leaked.contexts, leaked.bytes), (1, 0));
    let leaked = leaked_by(|fake, _rig| fake.state().refuse_dereg_mr = true);
    // 16 slots of 100 bytes, 128 apart.
    assert_eq!((leaked.regions, leaked.bytes), (1, 2048));
}
