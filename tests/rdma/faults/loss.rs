//! Packets that are lost, doubled and overtaken on their way.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lab_tests::{RxePair, gate};
use netprims_rdma::{
    AckTimeout, Buf, Context, Cq, Device, Done, ExposedMr, GidIndex, InitAttr, Mr, Pd, Qp, QpCap,
    QpType, Queue, Rc, RemoteAccess, Reset, Rts, Uc, Wr,
};
use rstest::rstest;

use super::{at, join_with};
use crate::work::pattern;
use crate::{PATIENCE, PORT};

/// Sixteen packets, and some bytes.
const LEN: usize = 16 * 1024 + 13;
const CAP: QpCap = QpCap::new(8, 16);

/// One device, and a queue pair to the other one.
struct End<T: QpType> {
    cq: Cq,
    memory: Mr,
    exposed: ExposedMr,
    qp: Qp<T, Rts>,
}

impl<T: QpType> End<T> {
    fn filled(&self, seed: u8) -> Buf {
        let mut buf = self.memory.take().unwrap();
        let bytes = buf.iter_mut().zip(pattern(seed));
        bytes.for_each(|(to, from)| *to = from);
        buf
    }

    fn poll(&mut self) -> Vec<Done> {
        let mut all = Vec::new();
        for mut completion in self.cq.poll().unwrap() {
            while let Some(done) = self.qp.complete(&mut completion).unwrap() {
                all.push(done);
            }
        }
        all
    }
}

/// A queue pair on each of the devices, connected.
fn ends<T: netprims_rdma::Connected>(
    pair: &RxePair,
    create: impl Fn(&Pd, &Cq) -> Qp<T, Reset>,
) -> [End<T>; 2] {
    let index = GidIndex::try_from(pair.gid_index()).unwrap();
    let parts = pair.devices().map(|name| {
        let context: Context = Device::by_name(name).unwrap().open().unwrap();
        let pd = context.alloc_pd().unwrap();
        let cq = context.create_cq(64).unwrap();
        let attr = InitAttr::new(PORT).access(RemoteAccess::ALL);
        let qp = create(&pd, &cq).init_with(&attr).unwrap();
        let found = at(&context, index, qp.number());
        (pd, cq, qp, found)
    });
    let [(pd_a, cq_a, qp_a, at_a), (pd_b, cq_b, qp_b, at_b)] = parts;
    let timeout = AckTimeout::at_least(Duration::from_millis(8));
    let end = |pd: Pd, cq, qp, to| End {
        memory: pd.register_local(16, u32::try_from(LEN).unwrap()).unwrap(),
        exposed: pd.register_exposed(LEN, RemoteAccess::ALL).unwrap(),
        // Soft-RoCE takes seven to mean for ever, which is what loss at random asks for.
        qp: join_with(index, qp, to, |rts| rts.ack_timeout(timeout).retries(7)),
        cq,
    };
    [end(pd_a, cq_a, qp_a, at_b), end(pd_b, cq_b, qp_b, at_a)]
}

/// Reliable queue pairs lose nothing, do nothing twice, and all in order.
#[rstest]
#[case::lost("loss 2%")]
#[case::doubled("duplicate 5%")]
#[case::overtaken("delay 2ms reorder 80%")]
fn reliable_messages_and_writes_arrive_once_and_in_order(#[case] rules: &str) {
    gate(|lab| {
        let pair = lab.rxe_pair();
        let [mut a, mut b] = ends(&pair, |pd, cq| -> Qp<Rc, Reset> {
            pd.create_rc(cq, cq, CAP).unwrap()
        });
        pair.netem(rules);
        let there = b.exposed.remote();
        let rounds = lab.volume(6_u8, 250);
        for round in 0..rounds {
            for token in [1, 2] {
                b.qp.post_recv(b.memory.take().unwrap(), token).unwrap();
            }
            a.qp.post(Wr::send(a.filled(round)), 1).unwrap();
            let overwritten = Wr::write(a.filled(0x55), there).unsignalled();
            a.qp.post(overwritten, 2).unwrap();
            a.qp.post(Wr::write_imm(a.filled(!round), there, 7), 3)
                .unwrap();
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            let start = Instant::now();
            while sent.len() + received.len() < 5 {
                let told = (&sent, &received);
                assert!(start.elapsed() < PATIENCE, "round {round}: {told:?}");
                sent.extend(a.poll());
                received.extend(b.poll());
                let all = sent.iter().chain(&received);
                all.for_each(|done: &Done| done.check().unwrap());
            }
            let tokens: Vec<u64> = sent.iter().map(|done| done.token).collect();
            assert_eq!(tokens, [1, 2, 3], "round {round}");
            let message = received[0].message().iter().copied();
            let is_whole = message.eq(pattern(round).take(LEN));
            assert!(received[0].token == 1 && is_whole, "round {round}");
            assert_eq!((received[1].token, received[1].imm()), (2, Some(7)));
            let mut bytes = vec![0; LEN];
            b.exposed.copy_out(0, &mut bytes).unwrap();
            let is_last = bytes.into_iter().eq(pattern(!round).take(LEN));
            assert!(is_last, "round {round}");
        }
        assert!(!rules.starts_with("loss") || pair.dropped() > 0);
    });
}

/// An answer that is lost is given again, and what it answers is not done again.
#[test]
fn reads_and_atomics_whose_answers_are_lost_are_done_once() {
    gate(|lab| {
        let pair = lab.rxe_pair();
        let [mut a, b] = ends(&pair, |pd, cq| -> Qp<Rc, Reset> {
            pd.create_rc(cq, cq, CAP).unwrap()
        });
        pair.netem("loss 5%");
        let there = b.exposed.remote();
        let bytes: Vec<u8> = pattern(0x3a).take(LEN).collect();
        b.exposed.copy_in(0, &bytes).unwrap();
        b.exposed.words()[0].store(100, Ordering::Release);
        for round in 0..lab.volume(15_u64, 500) {
            let mut word = a.memory.take().unwrap();
            word.set_len(8);
            let add = Wr::fetch_add(word, there.word(0).unwrap(), 1);
            let old = alone(&mut a, add, round);
            assert_eq!(old, (100 + round).to_ne_bytes(), "round {round}");
            let read = Wr::read(a.filled(0), there);
            let read = alone(&mut a, read, round);
            assert_eq!(read[..8], (101 + round).to_ne_bytes(), "round {round}");
            assert!(read[8..] == bytes[8..], "round {round}");
        }
        assert!(pair.dropped() > 0, "nothing was lost");
    });
}

/// Posts one request and waits for its bytes.
fn alone(a: &mut End<Rc>, wr: Wr<'_, Rc>, round: u64) -> Vec<u8> {
    a.qp.post(wr, round).unwrap();
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "round {round}");
        if let Some(done) = a.poll().pop() {
            done.check().unwrap();
            return done.message().to_vec();
        }
    }
}

/// What an unreliable queue pair receives it receives whole, and in order; the rest it does not.
#[test]
fn an_unreliable_message_arrives_whole_or_not_at_all() {
    gate(|lab| {
        let pair = lab.rxe_pair();
        let [mut a, mut b] = ends(&pair, |pd, cq| -> Qp<Uc, Reset> {
            pd.create_uc(cq, cq, CAP).unwrap()
        });
        pair.netem("loss 3%");
        let rounds = lab.volume(40_u8, 250);
        let mut got = Vec::new();
        for token in 0..16 {
            b.qp.post_recv(b.memory.take().unwrap(), token).unwrap();
        }
        for round in 0..rounds {
            a.qp.post(Wr::send_imm(a.filled(round), u32::from(round)), 0)
                .unwrap();
            let start = Instant::now();
            while a.qp.in_flight(Queue::Send) > 0 {
                assert!(start.elapsed() < PATIENCE);
                for done in a.poll() {
                    done.check().unwrap();
                }
            }
            for done in b.poll() {
                done.check().unwrap();
                let seed = u8::try_from(done.imm().unwrap()).unwrap();
                let is_whole = done.message().iter().copied().eq(pattern(seed).take(LEN));
                assert!(is_whole, "message {seed}");
                got.push(seed);
                b.qp.post_recv(done.bufs, 0).unwrap();
            }
        }
        assert!(got.is_sorted(), "{got:?}");
        assert!(pair.dropped() > 0, "nothing was lost");
        assert!(
            !got.is_empty() && got.len() < usize::from(rounds),
            "{got:?}"
        );
        println!("{} of {rounds} messages arrived", got.len());
        assert!(!a.qp.has_failed() && !b.qp.has_failed());
    });
}
