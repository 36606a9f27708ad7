//! A peer that is killed while it works.

use std::time::Instant;

use lab_tests::gate;
use netprims_rdma::{
    Context, Endpoint, ExposedMr, Init, InitAttr, Pd, Qp, QpCap, QpState, Qpn, Queue, Rc,
    RemoteAccess, RemoteKey, RemoteSlice, WcStatus, Wr,
};

use super::peer::{Parent, Peer, device};
use super::{at, free, join};
use crate::pair::{Pair, drain, index, open};
use crate::{PATIENCE, PORT};

const LEN: u32 = 1 << 16;
const CAP: QpCap = QpCap::new(8, 8);
const GID: u32 = 1;

/// A process with memory that the other one writes to.
struct Target {
    pd: Pd,
    memory: ExposedMr,
    qp: Qp<Rc, Init>,
}

impl Target {
    fn new(context: &Context) -> Self {
        let pd = context.alloc_pd().unwrap();
        let cq = context.create_cq(16).unwrap();
        let attr = InitAttr::new(PORT).access(RemoteAccess::ALL);
        let qp = pd.create_rc(&cq, &cq, CAP).unwrap().init_with(&attr);
        let memory = pd.register_exposed(LEN as usize, RemoteAccess::WRITE);
        Target {
            memory: memory.unwrap(),
            qp: qp.unwrap(),
            pd,
        }
    }

    fn numbers(&self) -> [u64; 3] {
        let there = self.memory.remote();
        let qpn = u64::from(self.qp.number().number());
        [qpn, there.addr(), u64::from(there.key().number())]
    }
}

/// What [`Target::numbers`] told.
fn understood(context: &Context, numbers: &[u64]) -> (Endpoint, RemoteSlice) {
    let [qpn, addr, key] = numbers else {
        panic!("{numbers:?}")
    };
    let qpn = Qpn::new(u32::try_from(*qpn).unwrap()).unwrap();
    let key = RemoteKey::new(u32::try_from(*key).unwrap());
    let gid = netprims_rdma::GidIndex::try_from(GID).unwrap();
    (
        at(context, gid, qpn),
        RemoteSlice::new(*addr, u64::from(LEN), key),
    )
}

/// Nobody answers any more: what is underway fails after its retries, and comes back.
#[test]
fn writes_to_a_peer_that_is_killed_fail_and_come_back() {
    const TEST: &str = "faults::killed::writes_to_a_peer_that_is_killed_fail_and_come_back";
    if let Some(parent) = Parent::of(TEST) {
        return be_written_to(&parent);
    }
    gate(|lab| {
        let rxe = lab.rxe();
        let mut peer = Peer::start(lab, TEST);
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let mut cq = context.create_cq(32).unwrap();
        let memory = pd.register_local(8, LEN).unwrap();
        let qp = pd.create_rc(&cq, &cq, CAP).unwrap().init(PORT).unwrap();
        let (to, there) = understood(&context, &peer.hear());
        peer.tell(&[u64::from(qp.number().number())]);
        let mut qp = join(index(&rxe), qp, to);
        assert_eq!(peer.hear(), [0], "it is ready");

        let (mut well, mut failed) = (0, Vec::new());
        let start = Instant::now();
        let mut is_killed = false;
        while failed.is_empty() || qp.in_flight(Queue::Send) > 0 {
            assert!(start.elapsed() < PATIENCE, "{well} {failed:?}");
            if !qp.has_failed() {
                if let Some(buf) = memory.take() {
                    qp.post(Wr::write(buf, there), 0).unwrap();
                }
            }
            for mut completion in cq.poll().unwrap() {
                while let Some(done) = qp.complete(&mut completion).unwrap() {
                    match done.status {
                        WcStatus::Success => well += 1,
                        status => failed.push(status),
                    }
                }
            }
            if well >= 10 && !is_killed {
                // With eight writes on their way.
                peer.kill();
                is_killed = true;
            }
        }
        assert!(is_killed, "{failed:?} before");
        // The kernel may take the memory of a process before it takes the queue pair.
        let wanted = [WcStatus::RetryExceeded, WcStatus::RemoteAccess];
        assert!(wanted.contains(&failed[0]), "{failed:?}");
        assert!(
            failed[1..]
                .iter()
                .all(|status| *status == WcStatus::Flushed)
        );
        assert_eq!(free(&memory), 8);
    });
}

fn be_written_to(parent: &Parent) {
    let context = device();
    let target = Target::new(&context);
    parent.tell(&target.numbers());
    let writer = parent.hear().unwrap()[0];
    let writer = Qpn::new(u32::try_from(writer).unwrap()).unwrap();
    let index = netprims_rdma::GidIndex::try_from(GID).unwrap();
    let _qp = join(index, target.qp, at(&context, index, writer));
    parent.tell(&[0]);
    // Killed here.
    parent.hear();
}

/// The half of a write that came stays, nobody says a word, and the queue pair that it came by is as it was.
#[test]
fn a_writer_that_is_killed_leaves_words_that_are_whole_and_a_queue_pair_that_can_be_stopped() {
    const TEST: &str = "faults::killed::a_writer_that_is_killed_leaves_words_that_are_whole_and_a_queue_pair_that_can_be_stopped";
    if let Some(parent) = Parent::of(TEST) {
        return write_for_ever(&parent);
    }
    gate(|lab| {
        let rxe = lab.rxe();
        let mut peer = Peer::start(lab, TEST);
        let context = open(&rxe);
        let target = Target::new(&context);
        let mut numbers = target.numbers();
        let writer = peer.hear()[0];
        peer.tell(&numbers);
        numbers[0] = writer;
        let (to, _) = understood(&context, &numbers);
        let mut cq = context.create_cq(16).unwrap();
        let receives = target.pd.register_local(8, 64).unwrap();
        let mut qp = join(index(&rxe), target.qp, to);
        for token in 0..8 {
            qp.post_recv(receives.take().unwrap(), token).unwrap();
        }
        peer.tell(&[0]);
        // Until it has begun its second round at least.
        let words = target.memory.words();
        let seen = || words[words.len() - 1].load(std::sync::atomic::Ordering::Acquire);
        let start = Instant::now();
        while seen() == 0 {
            assert!(start.elapsed() < PATIENCE);
        }
        peer.kill();
        std::thread::sleep(std::time::Duration::from_millis(100));
        for word in words {
            let bytes = word
                .load(std::sync::atomic::Ordering::Acquire)
                .to_ne_bytes();
            assert_eq!(bytes, [bytes[0]; 8]);
        }
        assert_eq!(qp.query().unwrap().state, QpState::Rts);
        assert_eq!(cq.poll().unwrap().len(), 0);
        drop(qp.stop().unwrap());
        assert_eq!(free(&receives), 8);
        // Others are not in its way.
        let mut pair = Pair::new(&rxe, 64, |_, _, _| ());
        pair.b.post_recv(pair.buf(), 1).unwrap();
        pair.a.post_send(pair.buf(), 2).unwrap();
        let (sent, received) = pair.wait(2);
        assert!(sent[0].status.is_success() && received[0].status.is_success());
        drop(drain(&mut pair.cq, &mut pair.a));
    });
}

fn write_for_ever(parent: &Parent) {
    let context = device();
    let index = netprims_rdma::GidIndex::try_from(GID).unwrap();
    let pd = context.alloc_pd().unwrap();
    let mut cq = context.create_cq(16).unwrap();
    let memory = pd.register_local(8, LEN).unwrap();
    let qp = pd.create_rc(&cq, &cq, CAP).unwrap().init(PORT).unwrap();
    parent.tell(&[u64::from(qp.number().number())]);
    let (to, there) = understood(&context, &parent.hear().unwrap());
    let mut qp = join(index, qp, to);
    parent.hear().unwrap();
    for round in (1..=u8::MAX).cycle() {
        while let Some(mut buf) = memory.take() {
            buf.fill(round);
            qp.post(Wr::write(buf, there), 0).unwrap();
        }
        for mut completion in cq.poll().unwrap() {
            while let Some(done) = qp.complete(&mut completion).unwrap() {
                done.check().unwrap();
            }
        }
    }
}
