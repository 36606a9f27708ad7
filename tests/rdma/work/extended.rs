//! Work that not every device has, and extended completion queues.

use lab_tests::Lab;
use netprims_rdma::{CqAttr, Error, Flush, Lacking, WcOpcode};

use super::*;

/// Whether this kernel's Soft-RoCE has atomic writes and flushes: from 6.2 on.
fn kernel_has_them(lab: &Lab) -> bool {
    let release = lab.release();
    let mut numbers = release
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(2))
}

/// The version of rdma-core whose libibverbs is loaded: 44 of `libibverbs.so.1.14.44.0`.
fn rdma_core() -> u32 {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let file = maps.split("libibverbs.so.1.").nth(1).expect("it is loaded");
    file.split('.').nth(1).unwrap().parse().unwrap()
}

fn lacking(error: &Error) -> Lacking {
    match error {
        Error::Unsupported { lacking, .. } => *lacking,
        _ => panic!("{error}"),
    }
}

/// What the kernel or the library says in the place of a queue pair made for `cap`.
fn refused(rxe: &Rxe, cap: QpCap) -> Lacking {
    let context = open(rxe);
    let pd = context.alloc_pd().unwrap();
    let cq = context.create_cq(16).unwrap();
    lacking(&pd.create_rc(&cq, &cq, cap).unwrap_err())
}

fn made_for(cap: QpCap) -> impl Fn(&Parts) -> Qp<Rc, Reset> {
    move |Parts { pd, cq, .. }| pd.create_rc(cq, cq, cap).unwrap()
}

#[test]
fn an_atomic_write_changes_eight_bytes_and_no_others() {
    gate(|lab| {
        let rxe = lab.rxe();
        let cap = Parts::cap().atomic_writes();
        if !kernel_has_them(lab) {
            // It would take the request and fail it, so none is posted.
            assert_eq!(refused(&rxe, cap), Lacking::Device);
            return;
        }
        let (mut a, b) = sides(&rxe, manners()[1], made_for(cap));
        let words = &b.exposed.words()[..6];
        words
            .iter()
            .for_each(|word| word.store(u64::MAX, Ordering::SeqCst));
        for round in 0..lab.volume(20, 2000_u64) {
            let value = round.wrapping_mul(0x0123_4567_89ab_cdef);
            let word = b.exposed.remote().word(24).unwrap();
            a.qp.post_extended(Wr::atomic_write(value.to_ne_bytes(), word), round)
                .unwrap();
            let done = a.wait(1);
            well(&done, round);
            assert_eq!(
                (done[0].opcode, done[0].token),
                (WcOpcode::AtomicWrite, round)
            );
            let seen: Vec<u64> = words
                .iter()
                .map(|word| word.load(Ordering::SeqCst))
                .collect();
            assert_eq!(
                seen,
                [u64::MAX, u64::MAX, u64::MAX, value, u64::MAX, u64::MAX]
            );
        }
    });
}

#[test]
fn atomic_writes_go_between_other_requests() {
    gate(|lab| {
        let rxe = lab.rxe();
        let cap = Parts::cap().atomic_writes();
        if !kernel_has_them(lab) {
            assert_eq!(refused(&rxe, cap), Lacking::Device);
            return;
        }
        let (mut a, b) = sides(&rxe, manners()[1], made_for(cap));
        let there = b.exposed.remote();
        for round in 0..lab.volume(10, 250_u8) {
            let body = a.filled(1500, round);
            a.qp.post(
                Wr::write(body, there.slice(8..5000).unwrap()).unsignalled(),
                1,
            )
            .unwrap();
            let ready = Wr::atomic_write([round; 8], there.word(0).unwrap());
            a.qp.post_extended(ready.unsignalled(), 2).unwrap();
            let back = a.filled(1508, 0);
            a.qp.post(Wr::read(back, there).fenced(), 3).unwrap();
            let done = a.wait(3);
            well(&done, round);
            assert_eq!(
                done.iter().map(|done| done.token).collect::<Vec<_>>(),
                [1, 2, 3]
            );
            let (ready, body) = done[2].message().split_at(8);
            assert_eq!(ready, [round; 8]);
            assert!(is_pattern(body, round), "{round}");
        }
    });
}

#[test]
fn an_atomic_write_needs_the_right_to_write() {
    gate(|lab| {
        let rxe = lab.rxe();
        let cap = Parts::cap().atomic_writes();
        if !kernel_has_them(lab) {
            assert_eq!(refused(&rxe, cap), Lacking::Device);
            return;
        }
        let (mut a, b) = sides(&rxe, manners()[1], made_for(cap));
        let pd = b.qp.pd();
        let shut = pd
            .register_exposed(64, RemoteAccess::READ | RemoteAccess::ATOMIC)
            .unwrap();
        let word = shut.remote().word(0).unwrap();
        a.qp.post_extended(Wr::atomic_write([1; 8], word), 1)
            .unwrap();
        let done = a.wait(1);
        assert_eq!(done[0].status, WcStatus::RemoteAccess);
        assert_eq!(shut.words()[0].load(Ordering::SeqCst), 0);
        assert!(
            a.qp.post_extended(Wr::atomic_write([1; 8], word), 1)
                .is_err()
        );
    });
}

#[test]
fn a_flush_ends_after_what_it_flushes_or_is_said_to_be_missing() {
    gate(|lab| {
        let rxe = lab.rxe();
        let cap = Parts::cap().flushes().atomic_writes();
        let access = RemoteAccess::ALL | RemoteAccess::FLUSH_GLOBAL;
        let pd = open(&rxe).alloc_pd().unwrap();
        if !kernel_has_them(lab) {
            assert_eq!(refused(&rxe, cap), Lacking::Device);
            assert_eq!(
                lacking(&pd.register_exposed(64, access).unwrap_err()),
                Lacking::Device
            );
            return;
        }
        // Whose pages do not outlive the power: only such of persistent memory would do.
        let lasting = access | RemoteAccess::FLUSH_PERSISTENT;
        let error = pd.register_exposed(64, lasting).unwrap_err();
        assert!(
            matches!(&error, Error::Verb { source, .. } if source.raw_os_error() == Some(22)),
            "{error}"
        );
        if rdma_core() < 45 {
            assert_eq!(refused(&rxe, cap), Lacking::Library);
            return;
        }
        let parts = [(); 2].map(|()| Parts::new(&rxe, manners()[1]));
        let [a, b] = [0, 1].map(|n| {
            let attr = InitAttr::new(PORT).access(access);
            made_for(cap)(&parts[n]).init_with(&attr).unwrap()
        });
        let [first, second] = parts;
        let (a, b) = connect(&first.context, index(&rxe), a, b);
        let memory = second.pd.register_exposed(5000, access).unwrap();
        let (mut a, b) = (first.finish(a), second.finish(b));
        let there = memory.remote();
        for round in 0..lab.volume(10, 250_u8) {
            let body = a.filled(3000, round);
            a.qp.post(Wr::write(body, there).unsignalled(), 1).unwrap();
            a.qp.post_extended(Wr::flush(there.slice(0..3000).unwrap(), Flush::Global), 2)
                .unwrap();
            a.qp.post_extended(Wr::flush_region(there.key(), Flush::Global), 3)
                .unwrap();
            let done = a.wait(3);
            well(&done, round);
            assert_eq!(
                (done[1].opcode, done[2].opcode),
                (WcOpcode::Flush, WcOpcode::Flush)
            );
            let mut seen = vec![0; 3000];
            memory.copy_out(0, &mut seen).unwrap();
            assert!(is_pattern(&seen, round), "{round}");
        }
        // Memory that does not allow it.
        a.qp.post_extended(Wr::flush(b.exposed.remote(), Flush::Global), 4)
            .unwrap();
        assert_eq!(a.wait(1)[0].status, WcStatus::RemoteAccess);
    });
}

/// What a side is made of, with an extended completion queue.
fn extended(rxe: &Rxe, manner: Manner) -> Parts {
    let is_extended = true;
    Parts::new(
        rxe,
        Manner {
            is_extended,
            ..manner
        },
    )
}

#[rstest]
#[case::polled(1, false)]
#[case::with_events(1, true)]
#[case::from_a_shared_queue(4, false)]
fn an_extended_queue_tells_the_same(#[case] bits: usize, #[case] has_events: bool) {
    gate(|lab| {
        let rxe = lab.rxe();
        let manner = Manner {
            has_events,
            ..manners()[bits]
        };
        let parts = [(); 2].map(|()| extended(&rxe, manner));
        let (mut a, mut b) = joined(&rxe, parts, reliable);
        for round in 0..lab.volume(5, 250_u8) {
            for token in 0..3 {
                let buf = b.memory.take().unwrap();
                b.post_recv(buf, token);
            }
            let there = b.exposed.remote();
            a.qp.post(Wr::send(a.filled(3000, round)).unsignalled(), 1)
                .unwrap();
            a.qp.post(Wr::send_imm(a.filled(0, 0), 0x0a0b_0c0d), 2)
                .unwrap();
            a.qp.post(
                Wr::write_imm(a.filled(1025, round), there, u32::from(round)),
                3,
            )
            .unwrap();
            a.qp.post(Wr::read(a.filled(1025, 0), there).fenced(), 4)
                .unwrap();
            let (sent, received) = (a.wait(4), b.wait(3));
            well(&sent, round);
            well(&received, round);
            let told: Vec<_> = sent.iter().map(|done| (done.token, done.queue)).collect();
            assert_eq!(told, [1, 2, 3, 4].map(|token| (token, Queue::Send)));
            assert_eq!(sent[2].opcode, WcOpcode::RdmaWrite);
            assert_eq!(sent[3].opcode, WcOpcode::RdmaRead);
            assert!(is_pattern(sent[3].message(), round));
            let told: Vec<_> = received
                .iter()
                .map(|done| (done.imm(), done.received_len()))
                .collect();
            assert_eq!(
                told,
                [
                    (None, 3000),
                    (Some(0x0a0b_0c0d), 0),
                    (Some(u32::from(round)), 1025)
                ]
            );
            assert!(is_pattern(received[0].message(), round));
        }
    });
}

#[test]
fn an_extended_queue_tells_a_datagrams_source() {
    gate(|lab| {
        let rxe = lab.rxe();
        let sides = [(); 2].map(|()| {
            let parts = extended(&rxe, manners()[1]);
            let qp = parts
                .pd
                .create_ud(&parts.cq, &parts.cq, Parts::cap())
                .unwrap();
            let qp = qp.init(PORT, QKEY).unwrap().rtr().unwrap();
            let gid = parts.context.query_gid(PORT, index(&rxe)).unwrap().gid;
            (gid, parts.finish(qp.rts(Psn::new(1).unwrap()).unwrap()))
        });
        let [(_, mut a), (gid, mut b)] = sides;
        let path = Path::from(PORT).to_gid(gid, index(&rxe));
        let to = Datagram::new(a.qp.pd().create_ah(&path).unwrap(), b.qp.number(), QKEY);
        let buf = b.memory.take().unwrap();
        b.post_recv(buf, 1);
        a.qp.post(Wr::send_imm_to(a.filled(500, 7), 9, &to), 2)
            .unwrap();
        well(&a.wait(1), "sent");
        let received = b.wait(1);
        well(&received, "received");
        assert_eq!(
            (received[0].imm(), received[0].source()),
            (Some(9), Some(a.qp.number()))
        );
        assert_eq!(received[0].message().len(), 500);
        assert!(is_pattern(received[0].message(), 7) && received[0].header().is_some());
    });
}

/// Completions come while they are polled for, so that polls meet the queue at every fill.
#[test]
fn an_extended_queue_loses_and_repeats_nothing() {
    gate(|lab| {
        let rxe = lab.rxe();
        let parts = [(); 2].map(|()| extended(&rxe, manners()[1]));
        let (mut a, mut b) = joined(&rxe, parts, reliable);
        let (mut posted, mut sent, mut received) = (0, 0, 0);
        let total = lab.volume(300, 20_000_u64);
        let start = std::time::Instant::now();
        for token in 0..8 {
            b.qp.post_recv(Bufs::None, token).unwrap();
        }
        while received < total || sent < total {
            assert!(
                start.elapsed() < 10 * PATIENCE,
                "{posted} {sent} {received}"
            );
            while posted < total.min(received + 8) && a.qp.in_flight(Queue::Send) < 8 {
                a.qp.post(
                    Wr::send_imm(Bufs::None, u32::try_from(posted).unwrap()),
                    posted,
                )
                .unwrap();
                posted += 1;
            }
            for mut completion in a.cq.poll().unwrap() {
                while let Some(done) = a.qp.complete(&mut completion).unwrap() {
                    assert_eq!((done.token, done.status), (sent, WcStatus::Success));
                    sent += 1;
                }
            }
            let mut again = 0;
            for mut completion in b.cq.poll().unwrap() {
                let done = b.qp.complete(&mut completion).unwrap().unwrap();
                assert_eq!(done.token, received);
                assert_eq!(done.imm().map(u64::from), Some(received));
                received += 1;
                again += 1;
            }
            for token in (received + 8 - again)..(received + 8) {
                b.qp.post_recv(Bufs::None, token).unwrap();
            }
        }
    });
}

#[test]
fn failed_work_is_told_by_an_extended_queue() {
    gate(|lab| {
        let rxe = lab.rxe();
        let parts = [(); 2].map(|()| extended(&rxe, manners()[1]));
        let (mut a, b) = joined(&rxe, parts, reliable);
        a.qp.post_recv(a.memory.take().unwrap(), 1).unwrap();
        let beyond = RemoteSlice::new(b.exposed.remote().addr(), 100, RemoteKey::new(7));
        a.qp.post(Wr::write(a.filled(100, 1), beyond), 2).unwrap();
        a.qp.post(Wr::send(a.filled(100, 1)), 3).unwrap();
        let mut done = a.wait(3);
        done.sort_by_key(|done| done.token);
        let told: Vec<_> = done
            .iter()
            .map(|done| (done.token, done.queue, done.status))
            .collect();
        let expected = [
            (1, Queue::Recv, WcStatus::Flushed),
            (2, Queue::Send, WcStatus::RemoteAccess),
            (3, Queue::Send, WcStatus::Flushed),
        ];
        assert_eq!(told, expected);
    });
}

#[test]
fn soft_roce_has_no_clock_and_says_so() {
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        for attr in [CqAttr::new(4).timestamps(), CqAttr::new(4).wallclock()] {
            assert_eq!(
                lacking(&context.create_cq_with(&attr).unwrap_err()),
                Lacking::Device
            );
        }
        assert_eq!(lacking(&context.clock().unwrap_err()), Lacking::Device);
    });
}
