//! A second process that knows every key of the device, and uses them.

use std::time::Instant;

use lab_tests::{Lab, gate};
use netprims_rdma::{
    Context, Cq, GidIndex, InitAttr, Pd, Qp, QpCap, Qpn, Queue, Rc, RemoteAccess, RemoteKey,
    RemoteSlice, Rts, WcStatus, Wr,
};

use super::peer::{Parent, Peer, device};
use super::{at, join};
use crate::pair::{index, open};
use crate::{PATIENCE, PORT};

const TEST: &str =
    "faults::hostile::a_process_with_all_keys_gets_what_was_exposed_and_nothing_else";
const CAP: QpCap = QpCap::new(2, 2);
const GID: u32 = 1;
const LEN: usize = 4096;
/// What memory holds that the other process must neither see nor change.
const SECRET: u8 = 0x77;

/// What the other process is to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Read,
    Write,
    Add,
}

const ATTEMPTS: [Attempt; 3] = [Attempt::Read, Attempt::Write, Attempt::Add];

/// All keys that the device has, as the kernel knows them.
fn keys(lab: &Lab) -> Vec<RemoteKey> {
    let text = lab.sh("rdma -dd resource show mr");
    let mut words = text.split_whitespace();
    let mut all = Vec::new();
    while let Some(word) = words.next() {
        if matches!(word, "rkey" | "lkey") {
            let digits = words.next().unwrap().trim_start_matches("0x");
            all.push(RemoteKey::new(u32::from_str_radix(digits, 16).unwrap()));
        }
    }
    all.sort_unstable_by_key(|key| key.number());
    all.dedup();
    all
}

#[test]
fn a_process_with_all_keys_gets_what_was_exposed_and_nothing_else() {
    if let Some(parent) = Parent::of(TEST) {
        return be_hostile(&parent);
    }
    gate(|lab| {
        let rxe = lab.rxe();
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let local = pd.register_local(1, 4096).unwrap();
        let mut secret = local.take().unwrap();
        secret.fill(SECRET);
        let exposed = |access| {
            let memory = pd.register_exposed(LEN, access).unwrap();
            memory.copy_in(0, &[SECRET; LEN]).unwrap();
            memory
        };
        let (readable, writable) = (exposed(RemoteAccess::READ), exposed(RemoteAccess::WRITE));
        let gone = exposed(RemoteAccess::ALL).remote();
        let keys = keys(lab);
        // The local memory, and both of the others.
        assert!(keys.len() >= 3, "{keys:?}");
        let (r, w) = (readable.remote(), writable.remote());
        let hidden = secret.as_ptr().addr() as u64;
        let len = i64::try_from(LEN).unwrap();

        let mut attempts = Vec::new();
        for attempt in ATTEMPTS {
            let all = keys
                .iter()
                .map(|key| (attempt, RemoteSlice::new(hidden, 8, *key)));
            attempts.extend(all);
            attempts.push((attempt, gone.slice(0..8).unwrap()));
            // Before it, behind it, and across both of its ends.
            for there in [r, w].into_iter().filter(|_| attempt != Attempt::Add) {
                for offset in [-16_i64, -8, len - 8, len] {
                    let addr = there.addr().wrapping_add_signed(offset);
                    attempts.push((attempt, RemoteSlice::new(addr, 16, there.key())));
                }
            }
        }
        attempts.push((Attempt::Write, r.slice(0..8).unwrap()));
        attempts.push((Attempt::Add, r.slice(0..8).unwrap()));
        attempts.push((Attempt::Read, w.slice(0..8).unwrap()));
        attempts.push((Attempt::Add, w.slice(0..8).unwrap()));

        let mut peer = Peer::start(lab, TEST);
        let victim = Victim {
            context: &context,
            pd: &pd,
            index: index(&rxe),
        };
        for (attempt, there) in &attempts {
            let (status, _) = victim.suffer(&mut peer, *attempt, *there);
            assert_eq!(
                status,
                WcStatus::RemoteAccess.raw(),
                "{attempt:?} {there:?}"
            );
            assert!(
                secret.iter().all(|byte| *byte == SECRET),
                "{attempt:?} {there:?}"
            );
            for memory in [&readable, &writable] {
                let mut bytes = [0; LEN];
                memory.copy_out(0, &mut bytes).unwrap();
                assert_eq!(bytes, [SECRET; LEN], "{attempt:?} {there:?}");
            }
        }
        println!("{} attempts with {} keys", attempts.len(), keys.len());
        // What was exposed can be used, and so they were attempts.
        let read = victim.suffer(&mut peer, Attempt::Read, r.slice(8..16).unwrap());
        assert_eq!(read, (0, u64::from_ne_bytes([SECRET; 8])));
        let written = victim.suffer(&mut peer, Attempt::Write, w.slice(8..16).unwrap());
        assert_eq!(written.0, 0);
        let mut bytes = [0; 8];
        writable.copy_out(8, &mut bytes).unwrap();
        assert_ne!(bytes, [SECRET; 8]);
        peer.finish();
    });
}

struct Victim<'a> {
    context: &'a Context,
    pd: &'a Pd,
    index: GidIndex,
}

impl Victim<'_> {
    /// Has the peer try something by a queue pair that allows all: what it ended with, and what was read.
    fn suffer(&self, peer: &mut Peer, attempt: Attempt, there: RemoteSlice) -> (u32, u64) {
        let cq = self.context.create_cq(4).unwrap();
        let attr = InitAttr::new(PORT).access(RemoteAccess::ALL);
        let qp = self.pd.create_rc(&cq, &cq, CAP).unwrap();
        let qp = qp.init_with(&attr).unwrap();
        let number = ATTEMPTS.iter().position(|one| *one == attempt).unwrap();
        peer.tell(&[
            u64::from(qp.number().number()),
            number as u64,
            there.addr(),
            there.len(),
            u64::from(there.key().number()),
        ]);
        let qpn = Qpn::new(u32::try_from(peer.hear()[0]).unwrap()).unwrap();
        let qp = join(self.index, qp, at(self.context, self.index, qpn));
        peer.tell(&[0]);
        let told = peer.hear();
        drop(qp);
        (u32::try_from(told[0]).unwrap(), told[1])
    }
}

fn be_hostile(parent: &Parent) {
    let context = device();
    let pd = context.alloc_pd().unwrap();
    let index = GidIndex::try_from(GID).unwrap();
    let memory = pd.register_local(1, 16).unwrap();
    while let Some(told) = parent.hear() {
        let [qpn, number, addr, len, key] = told[..] else {
            panic!("{told:?}")
        };
        let attempt = ATTEMPTS[usize::try_from(number).unwrap()];
        let there = RemoteSlice::new(addr, len, RemoteKey::new(u32::try_from(key).unwrap()));
        let mut cq = context.create_cq(4).unwrap();
        let qp = pd.create_rc(&cq, &cq, CAP).unwrap().init(PORT).unwrap();
        parent.tell(&[u64::from(qp.number().number())]);
        let qpn = Qpn::new(u32::try_from(qpn).unwrap()).unwrap();
        let mut qp = join(index, qp, at(&context, index, qpn));
        parent.hear().unwrap();
        let mut buf = memory.take().unwrap();
        buf.fill(0xee);
        buf.set_len(usize::try_from(len).unwrap());
        let wr = match attempt {
            Attempt::Read => Wr::read(buf, there),
            Attempt::Write => Wr::write(buf, there),
            Attempt::Add => {
                buf.set_len(8);
                Wr::fetch_add(buf, there.word(0).unwrap(), 1)
            }
        };
        qp.post(wr, 1).unwrap();
        let (status, word) = outcome(&mut cq, &mut qp);
        parent.tell(&[u64::from(status), word]);
    }
}

fn outcome(cq: &mut Cq, qp: &mut Qp<Rc, Rts>) -> (u32, u64) {
    let start = Instant::now();
    while qp.in_flight(Queue::Send) > 0 {
        assert!(start.elapsed() < PATIENCE);
        for mut completion in cq.poll().unwrap() {
            if let Some(done) = qp.complete(&mut completion).unwrap() {
                let word = done.message().first_chunk().copied().unwrap_or_default();
                return (done.status.raw(), u64::from_ne_bytes(word));
            }
        }
    }
    unreachable!("it has come back without a completion")
}
