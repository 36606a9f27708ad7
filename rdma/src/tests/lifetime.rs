//! Dropping and forgetting, in every order.

use super::*;
use crate::{CqAttr, Datagram, Path, Qkey};

#[test]
fn everything_ends_once_and_children_before_parents() {
    let rig = Rig::new();
    let fake = rig.fake.clone();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 0).unwrap();
    qp.post_send(rig.buf(), 0).unwrap();
    // Parents first: each is kept by what was made from it.
    let Rig {
        context,
        pd,
        cq,
        memory,
        ..
    } = rig;
    drop(context);
    drop(pd);
    drop(memory);
    drop(cq);
    assert_eq!(fake.state().count("close_device"), 0);
    drop(qp);
    let state = fake.state();
    let ends: Vec<&str> = state
        .calls
        .iter()
        .copied()
        .filter(|call| ["de", "cl"].iter().any(|prefix| call.starts_with(prefix)))
        .collect();
    let mut sorted = ends.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "close_device",
            "dealloc_pd",
            "dereg_mr",
            "destroy_cq",
            "destroy_qp"
        ]
    );
    assert_eq!(ends[0], "destroy_qp");
    assert_eq!(ends[4], "close_device");
    let position = |call| ends.iter().position(|end| *end == call);
    assert!(position("dereg_mr") < position("dealloc_pd"));
}

#[test]
fn the_device_list_is_freed_when_nobody_holds_a_device() {
    let fake = Fake::new();
    let list = fake.list();
    let devices = list.devices();
    drop(list);
    assert_eq!(fake.state().count("free_device_list"), 0);
    drop(devices);
    assert_eq!(fake.state().count("free_device_list"), 1);
}

#[test]
fn buffers_in_flight_return_to_the_pool_when_the_queue_pair_is_dropped() {
    let rig = Rig::new();
    let before = rig.free_slots();
    let mut qp = rig.qp();
    for _ in 0..4 {
        qp.post_recv(rig.buf(), 0).unwrap();
    }
    assert_eq!(rig.free_slots(), before - 4);
    drop(qp);
    assert_eq!(rig.free_slots(), before);
}

#[test]
fn a_queue_pair_that_cannot_be_destroyed_keeps_everything_it_may_use() {
    let mut rig = Rig::new();
    let fake = rig.fake.clone();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 0).unwrap();
    let posted = fake.posted(Queue::Recv)[0];
    let free = rig.free_slots();
    fake.state().refuse_destroy_qp = true;
    let error = qp.close().unwrap_err();
    assert!(error.to_string().contains("ibv_destroy_qp"), "{error}");
    assert_eq!(rig.free_slots(), free);
    assert_eq!(rig.cq.poll().unwrap().len(), 0);
    assert_eq!(
        rig.cq.handle().reserved(),
        8,
        "it may still complete something"
    );
    drop(rig);
    // It is still connected, and writes: to memory that is still there, and still its own.
    fake.write(posted, 1);
    let state = fake.state();
    assert_eq!(state.refused_dma, 0);
    for end in ["dereg_mr", "dealloc_pd", "destroy_cq", "close_device"] {
        assert_eq!(state.count(end), 0, "{end}");
    }
}

#[test]
fn a_queue_pair_that_cannot_be_destroyed_keeps_its_shared_queue_and_where_its_datagrams_go() {
    let rig = Rig::new();
    let mut srq = rig.pd.create_srq(2, 1).unwrap();
    srq.post_recv(rig.buf(), 0).unwrap();
    let cap = QpCap::new(2, 0);
    let qp = rig.pd.create_ud_with_srq(&rig.cq, &rig.cq, &srq, cap);
    let qp = qp.unwrap().init(PortNum::FIRST, Qkey::new(1)).unwrap();
    let mut qp = qp.rtr().unwrap().rts(Psn::new(2).unwrap()).unwrap();
    let ah = rig.pd.create_ah(&Path::from(PortNum::FIRST)).unwrap();
    let to = Datagram::new(ah, Qpn::new(17).unwrap(), Qkey::new(1));
    qp.post(Wr::send_to(rig.buf(), &to), 1).unwrap();
    let (fake, received) = (rig.fake.clone(), rig.fake.posted(Queue::Recv)[0]);
    fake.state().refuse_destroy_qp = true;
    drop((qp, srq, to, rig));
    // It may still take a receive, and send what it has.
    fake.write(received, 1);
    let state = fake.state();
    assert_eq!(state.refused_dma, 0);
    for end in ["destroy_srq", "destroy_ah", "dereg_mr", "dealloc_pd"] {
        assert_eq!(state.count(end), 0, "{end}");
    }
}

#[test]
fn a_queue_pair_that_was_made_wrong_and_cannot_be_destroyed_keeps_what_it_uses() {
    let rig = Rig::new();
    let fake = rig.fake.clone();
    let srq = rig.pd.create_srq(2, 1).unwrap();
    fake.state().forget_send_ops = true;
    fake.state().refuse_destroy_qp = true;
    let cap = DEPTH.atomic_writes();
    let made = rig.pd.create_rc_with_srq(&rig.cq, &rig.cq, &srq, cap);
    assert!(matches!(made.unwrap_err(), Error::Unsupported { .. }));
    drop((srq, rig));
    assert_eq!(fake.state().contract.broken(), [""; 0]);
    for end in ["destroy_srq", "destroy_cq", "dealloc_pd", "close_device"] {
        assert_eq!(fake.state().count(end), 0, "{end}");
    }
}

#[test]
fn a_completion_queue_that_was_made_wrong_and_cannot_be_destroyed_keeps_what_it_uses() {
    let rig = Rig::new();
    let fake = rig.fake.clone();
    let channel = rig.context.create_comp_channel().unwrap();
    fake.state().forget_wc_flags = true;
    fake.state().refuse_destroy_cq = true;
    let attr = CqAttr::new(4).timestamps().events(&channel);
    let made = rig.context.create_cq_with(&attr);
    assert!(matches!(made.unwrap_err(), Error::Unsupported { .. }));
    fake.state().refuse_destroy_cq = false;
    drop((attr, channel, rig));
    assert_eq!(fake.state().contract.broken(), [""; 0]);
    for end in ["destroy_channel", "close_device"] {
        assert_eq!(fake.state().count(end), 0, "{end}");
    }
}

#[test]
fn memory_that_cannot_be_deregistered_stays_mapped() {
    let Rig {
        fake,
        context,
        pd,
        cq,
        memory,
    } = Rig::new();
    let mut qp = connected(&pd, &cq, DEPTH);
    qp.post_recv(memory.take().unwrap(), 0).unwrap();
    let posted = fake.posted(Queue::Recv)[0];
    fake.state().refuse_dereg_mr = true;
    drop((qp, memory, pd, cq, context));
    fake.write(posted, 1);
    assert_eq!(fake.state().refused_dma, 0, "the region is still there");
    assert_eq!(fake.state().count("dealloc_pd"), 0);
}

#[test]
fn forgetting_loses_memory_and_nothing_else() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    qp.post_recv(rig.buf(), 0).unwrap();
    qp.post_recv(rig.buf(), 1).unwrap();
    std::mem::forget(rig.buf());
    rig.fake.complete(Queue::Recv, 0, 1);
    // A forgotten completion leaves its buffer with the queue pair.
    rig.cq.poll().unwrap().for_each(std::mem::forget);
    assert_eq!(qp.in_flight(Queue::Recv), 2);
    std::mem::forget(qp);
    let fake = rig.fake.clone();
    let posted = fake.posted(Queue::Recv)[0];
    drop(rig);
    fake.write(posted, 2);
    let state = fake.state();
    assert_eq!(
        (
            state.refused_dma,
            state.count("dereg_mr"),
            state.count("destroy_qp")
        ),
        (0, 0, 0)
    );
}

#[test]
fn a_step_that_fails_gives_the_queue_pair_back_with_its_buffers() {
    let rig = Rig::new();
    let depth = DEPTH;
    let qp = rig.pd.create_rc(&rig.cq, &rig.cq, depth).unwrap();
    rig.fake.state().refuse_modify = Some(libc::EINVAL);
    let failed = qp.init(PortNum::FIRST).unwrap_err();
    assert!(failed.to_string().contains("Reset→Init"), "{failed}");
    assert_eq!(failed.qp.port(), None, "bound to none");
    rig.fake.state().refuse_modify = None;
    let mut qp = failed.qp.init(PortNum::FIRST).unwrap();
    qp.post_recv(rig.buf(), 5).unwrap();
    rig.fake.state().refuse_modify = Some(-libc::EINVAL);
    let attr = RtrAttr::new(peer(), Mtu::B4096);
    let failed = qp.rtr(&attr).unwrap_err();
    let text = failed.to_string();
    assert!(
        text.contains("path MTU 4096 > active MTU 1024; use 1024"),
        "{text}"
    );
    assert_eq!(failed.qp.in_flight(Queue::Recv), 1);
}

#[test]
fn the_table_of_gids_has_those_of_the_port_only_and_one_is_chosen() {
    let rig = Rig::new();
    let table = rig.context.gid_table(PortNum::FIRST).unwrap();
    assert_eq!(table.len(), 2);
    assert_eq!(table[1].netdev().as_deref(), Some("lo"));
    let choice = rig.context.select_gid(PortNum::FIRST).unwrap();
    assert_eq!(choice.entry.index, 1);
    assert!(rig.context.query_port(PortNum::new(2).unwrap()).is_err());
    assert_eq!(
        rig.context.query_device().unwrap().max_qp(),
        0,
        "a negative limit is none"
    );
}

#[test]
fn the_path_leaves_by_the_port_that_the_queue_pair_is_bound_to() {
    let rig = Rig::new();
    let port = PortNum::new(2).unwrap();
    let qp = rig.pd.create_rc(&rig.cq, &rig.cq, DEPTH).unwrap();
    let qp = qp.init(port).unwrap();
    let qp = qp.rtr(&RtrAttr::new(peer(), Mtu::B1024)).unwrap();
    assert_eq!(qp.port(), Some(port));
    assert_eq!(rig.fake.state().path_port, 2);
}

#[test]
fn clones_of_an_open_device_are_equal_and_a_device_opened_again_is_another() {
    let fake = Fake::new();
    let (one, other) = (fake.context(), fake.context());
    assert_eq!(one, one.clone());
    assert_ne!(one, other);
}
