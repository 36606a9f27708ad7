//! netprims-rdma on Soft-RoCE.

#![expect(clippy::unwrap_used, reason = "helpers of tests assert as tests do")]

mod cli;
mod device_events;
mod faults;
mod in_tokio;
mod interop;
mod matrix;
mod pair;
mod program;
mod soundness;
mod work;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use lab_tests::gate;
use netprims_rdma::{
    AtomicCap, Device, DeviceCaps, Done, Endpoint, Error, GidIndex, GidReason, GidType, Leaks,
    LinkLayer, Mtu, NodeType, PhysState, Pkey, PortCaps, PortNum, PortState, Psn, QpCap, QpState,
    Queue, RtrAttr, RtsAttr, Transport, WcOpcode, WcStatus, Wr, leaks,
};
use pair::{Pair, drain, index, open};
use rstest::rstest;

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(30);
const PORT: PortNum = PortNum::FIRST;
const DEPTH: QpCap = QpCap::new(8, 8);

#[test]
fn the_device_its_port_and_its_gids_are_found() {
    gate(|lab| {
        let rxe = lab.rxe();
        let device = Device::by_name(rxe.device()).unwrap();
        assert_eq!(device.node_type(), NodeType::ChannelAdapter);
        assert_eq!(device.transport(), Transport::InfiniBand);
        assert!(
            Device::list()
                .unwrap()
                .iter()
                .any(|other| other.name() == rxe.device())
        );
        let context = device.open().unwrap();
        let limits = context.query_device().unwrap();
        assert_eq!(limits.ports(), 1);
        assert!(limits.max_qp() > 0 && limits.max_cq_capacity() > 0 && limits.max_qp_depth() > 0);
        assert_ne!(limits.node_guid(), 0);
        assert_eq!(limits.atomics(), AtomicCap::Device);
        let windows = DeviceCaps::MEMORY_WINDOWS | DeviceCaps::MEMORY_WINDOWS_2B;
        assert!(
            limits.capabilities().contains(windows),
            "{}",
            limits.capabilities()
        );
        // Soft-RoCE has these since Linux 6.2.
        let is_old = lab.release().starts_with("6.1.");
        let newer = DeviceCaps::ATOMIC_WRITE | DeviceCaps::FLUSH_GLOBAL;
        assert_eq!(
            limits.capabilities().contains(newer),
            !is_old,
            "{}",
            limits.capabilities()
        );
        assert!(limits.max_reads_as_target() > 0 && limits.max_srq_depth() > 0);
        // It is on no bus.
        assert_eq!((device.pci_address(), device.numa_node()), (None, None));
        let port = context.query_port(PORT).unwrap();
        assert_eq!(port.link_layer, LinkLayer::Ethernet);
        assert_eq!(port.phys_state, PhysState::LinkUp);
        assert!(
            port.megabits().is_some_and(|megabits| megabits > 0),
            "{port:?}"
        );
        assert!(
            port.capabilities
                .contains(PortCaps::COMMUNICATION_MANAGEMENT),
            "{port:?}"
        );
        assert_eq!(context.pkey_table(PORT).unwrap(), [(0, Pkey::DEFAULT)]);
        assert!(context.query_pkey(PORT, port.pkey_table_len).is_err());
        assert_eq!(
            (port.state, port.active_mtu),
            (PortState::Active, Mtu::B1024)
        );

        let choice = context.select_gid(PORT).unwrap();
        assert_eq!(choice.reason, GidReason::RoceV2Ipv4);
        assert_eq!(choice.entry.index, rxe.gid_index());
        assert_eq!(choice.entry.kind, GidType::RoceV2);
        assert_eq!(
            choice.entry.gid.ipv4().map(IpAddr::from),
            Some(IpAddr::from(rxe.address()))
        );
        assert_eq!(choice.entry.netdev().as_deref(), Some(rxe.netdev()));
        assert_eq!(context.query_gid(PORT, index(&rxe)).unwrap(), choice.entry);
    });
}

#[test]
fn a_device_that_is_not_there_is_named_with_those_that_are() {
    gate(|lab| {
        let rxe = lab.rxe();
        let error = Device::by_name("nonesuch").unwrap_err();
        let Error::NoSuchDevice { available, .. } = &error else {
            panic!("{error}")
        };
        assert!(available.iter().any(|name| name == rxe.device()));
        let context = open(&rxe);
        assert!(context.query_port(PortNum::new(9).unwrap()).is_err());
    });
}

#[rstest]
#[case(1)]
#[case(1023)]
#[case(4096)]
#[case(1 << 20)]
fn messages_arrive_both_ways_byte_for_byte(#[case] size: u32) {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut pair = Pair::new(&rxe, size, |_, _, _| ());
        let rounds = lab.volume(3u8, 100);
        for round in 0..rounds {
            let byte = |from: u8, at: usize| (at % 251).to_le_bytes()[0] ^ round ^ from;
            pair.a.post_recv(pair.memory.take().unwrap(), 1).unwrap();
            pair.b.post_recv(pair.memory.take().unwrap(), 2).unwrap();
            for (from, qp) in [(0x40, &mut pair.a), (0x80, &mut pair.b)] {
                let mut message = pair.memory.take().unwrap();
                (0..)
                    .zip(message.iter_mut())
                    .for_each(|(at, to)| *to = byte(from, at));
                qp.post_send(message, 3).unwrap();
            }
            let (of_a, of_b) = pair.wait(4);
            for (done, from, token) in [(of_a, 0x80, 1), (of_b, 0x40, 2)] {
                for done in done {
                    done.check().unwrap();
                    if done.queue == Queue::Recv {
                        assert_eq!((done.token, done.message().len()), (token, size as usize));
                        let right = done
                            .message()
                            .iter()
                            .enumerate()
                            .all(|(at, b)| *b == byte(from, at));
                        assert!(right, "round {round}, from {from:#x}");
                    }
                }
            }
        }
    });
}

#[test]
fn unsignalled_sends_come_back_with_the_next_signalled_one() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut pair = Pair::new(&rxe, 64, |_, _, _| ());
        for round in 0..lab.volume(5, 500) {
            for token in 0..4 {
                pair.b
                    .post_recv(pair.memory.take().unwrap(), token)
                    .unwrap();
            }
            for token in 0..3 {
                pair.a
                    .post(Wr::send(pair.memory.take().unwrap()).unsignalled(), token)
                    .unwrap();
            }
            pair.a.post_send(pair.buf(), 3).unwrap();
            let (sent, received) = pair.wait(8);
            let tokens = |done: &[Done]| done.iter().map(|done| done.token).collect::<Vec<_>>();
            assert_eq!(
                (tokens(&sent), tokens(&received)),
                (vec![0, 1, 2, 3], vec![0, 1, 2, 3])
            );
            assert!(
                sent.iter()
                    .chain(&received)
                    .all(|done| done.status.is_success()),
                "{round}"
            );
        }
    });
}

#[test]
fn a_peer_that_is_gone_is_told_by_status_and_state() {
    gate(|lab| {
        let rxe = lab.rxe();
        let Pair {
            mut cq,
            memory,
            mut a,
            b,
            ..
        } = Pair::new(&rxe, 64, |_, _, _| ());
        b.close().unwrap();
        a.post_recv(memory.take().unwrap(), 1).unwrap();
        a.post_send(memory.take().unwrap(), 2).unwrap();
        let done = drain(&mut cq, &mut a);
        let failed = done.iter().find(|done| done.token == 2).unwrap();
        assert_eq!(failed.status, WcStatus::RetryExceeded, "{done:?}");
        assert!(a.has_failed());
        assert_eq!(a.query().unwrap().state, QpState::Err);
        let rejected = a.post_send(memory.take().unwrap(), 3).unwrap_err();
        assert!(matches!(rejected.error, Error::QpFailed { .. }) && rejected.bufs.is_some());
    });
}

#[test]
fn a_message_too_long_for_its_buffer_fails_on_both_sides() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut pair = Pair::new(&rxe, 4096, |_, _, _| ());
        let small = pair.pd.register_local(1, 100).unwrap();
        pair.b.post_recv(small.take().unwrap(), 1).unwrap();
        pair.a.post_send(pair.buf(), 2).unwrap();
        let (of_a, of_b) = pair.wait(2);
        // InfiniBand says LocalLength and RemoteInvalidRequest; Soft-RoCE has its own view.
        assert_eq!(of_b[0].status, WcStatus::LocalQpOperation);
        assert_eq!(of_a[0].status, WcStatus::RemoteOperation);
        assert!(pair.a.has_failed() && pair.b.has_failed());
    });
}

#[test]
fn dropping_everything_with_work_in_flight_leaves_nothing_behind() {
    gate(|lab| {
        let rxe = lab.rxe();
        for round in 0..lab.volume(4, 50) {
            let Pair {
                context,
                pd,
                cq,
                memory,
                mut a,
                mut b,
            } = Pair::new(&rxe, 1 << 16, |_, _, _| ());
            for token in 0..8 {
                b.post_recv(memory.take().unwrap(), token).unwrap();
                a.post_send(memory.take().unwrap(), token).unwrap();
            }
            // Every order, parents first included, while data is on its way.
            match round % 4 {
                0 => drop((context, pd, memory, cq, a, b)),
                1 => drop((b, a, cq, memory, pd, context)),
                2 => drop((memory, a, pd, b, context, cq)),
                _ => drop((cq, b, memory, context, a, pd)),
            }
        }
        assert_eq!(leaks(), Leaks::default());
    });
}

#[test]
fn a_step_refused_names_the_gid_index() {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let cq = context.create_cq(2).unwrap();
        let depth = QpCap::new(1, 1);
        let qp = pd.create_rc(&cq, &cq, depth).unwrap().init(PORT).unwrap();
        let gid = context.query_gid(PORT, index(&rxe)).unwrap().gid;
        let psn = Psn::new(1).unwrap();
        let remote = Endpoint::new(qp.number(), psn).at_gid(gid);
        let wrong = RtrAttr::new(remote, Mtu::B1024).via_gid(GidIndex::new(200));
        let failed = qp.rtr(&wrong).unwrap_err();
        let text = failed.to_string();
        assert!(
            text.contains("GID index 200 is empty; filled are 0, 1"),
            "{text}"
        );
        // The queue pair is as it was: with the right index it goes on.
        let right = RtrAttr::new(remote, Mtu::B1024).via_gid(index(&rxe));
        let qp = failed
            .qp
            .rtr(&right)
            .unwrap()
            .rts(&RtsAttr::new(psn))
            .unwrap();
        let info = qp.query().unwrap();
        assert_eq!((info.state, info.path_mtu), (QpState::Rts, Mtu::B1024));
        assert_eq!(info.remote, remote.qpn);
    });
}

#[test]
fn a_buffer_of_another_domain_is_refused_before_the_device_sees_it() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut pair = Pair::new(&rxe, 64, |_, _, _| ());
        let elsewhere = pair
            .context
            .alloc_pd()
            .unwrap()
            .register_local(1, 64)
            .unwrap();
        let rejected = pair.a.post_send(elsewhere.take().unwrap(), 0).unwrap_err();
        assert!(matches!(rejected.error, Error::OtherPd { .. }));
        assert!(!pair.a.has_failed());
    });
}

#[test]
fn receives_posted_before_the_peer_is_known_are_used() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut pair = Pair::new(&rxe, 64, |memory, _, b| {
            b.post_recv(memory.take().unwrap(), 42).unwrap();
        });
        let mut message = pair.buf();
        message.set_len(5);
        message.copy_from_slice(b"early");
        pair.a.post_send(message, 0).unwrap();
        let (_, received) = pair.wait(2);
        assert_eq!(
            (received[0].token, received[0].message()),
            (42, &b"early"[..])
        );
    });
}

#[test]
fn a_batch_dropped_half_way_loses_nothing() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut pair = Pair::new(&rxe, 64, |_, _, _| ());
        for round in 0..lab.volume(5, 500) {
            for token in 0..8 {
                pair.b.post_recv(pair.buf(), token).unwrap();
            }
            for token in 0..8 {
                pair.a.post_send(pair.buf(), token).unwrap();
            }
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            let start = Instant::now();
            while sent.len() + received.len() < 16 {
                assert!(
                    start.elapsed() < Duration::from_secs(30),
                    "in round {round}"
                );
                // One of each batch, and the rest is left.
                let Some(mut completion) = pair.cq.poll().unwrap().next() else {
                    continue;
                };
                let (qp, done, opcode) = if pair.a.owns(&completion) {
                    (&mut pair.a, &mut sent, WcOpcode::Send)
                } else {
                    (&mut pair.b, &mut received, WcOpcode::Recv)
                };
                while let Some(one) = qp.complete(&mut completion).unwrap() {
                    assert_eq!((one.status, one.opcode), (WcStatus::Success, opcode));
                    done.push(one.token);
                }
            }
            assert_eq!((sent, received), ((0..8).collect(), (0..8).collect()));
        }
    });
}
