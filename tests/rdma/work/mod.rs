//! Work on Soft-RoCE beside the matrix: what is about more than one request.

mod atomics;
mod datagrams;
mod ending;
mod extended;
mod groups;
mod lifecycle;
mod memory;
mod windows;

use std::fmt::Debug;
use std::sync::atomic::Ordering;

use lab_tests::{Rxe, gate};
use netprims_rdma::{
    Arm, Buf, Bufs, Connected, Context, Cq, CqAttr, Datagram, Done, ExposedMr, Init, InitAttr, Mr,
    Path, Pd, Psn, Qkey, Qp, QpCap, QpType, Queue, Rc, RemoteAccess, RemoteKey, RemoteSlice, Reset,
    Rts, Srq, Uc, Ud, WcOpcode, WcStatus, Window, Wr,
};
use rstest::rstest;

pub(crate) use datagrams::datagrams;

use super::pair::{connect, index, open};
use super::{PATIENCE, PORT};

/// The largest buffer: a few packets.
pub(crate) const SIZE: u32 = 5000;
const QKEY: Qkey = Qkey::new(0x1111_1111);

/// How the requests of a cell are posted, and its completions taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// In one buffer, in several, or in none.
    pub(crate) local: LocalSide,
    pub(crate) is_signalled: bool,
    pub(crate) is_batch: bool,
    pub(crate) has_srq: bool,
    pub(crate) has_events: bool,
    pub(crate) is_extended: bool,
}

impl Manner {
    /// One request, which asks for a completion, by queues of the queue pair's own that are polled.
    pub(crate) const PLAIN: Manner = Manner {
        local: LocalSide::One,
        is_signalled: true,
        is_batch: false,
        has_srq: false,
        has_events: false,
        is_extended: false,
    };

    /// Whether a request is alone and asks for a completion.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_signalled && !self.is_batch
    }
}

/// Where the bytes of a request are on this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LocalSide {
    One,
    Several,
    Inline,
    Exposed,
}

/// One side: a queue pair and what it needs.
pub(crate) struct Side<T: QpType> {
    pub(crate) cq: Cq,
    pub(crate) memory: Mr,
    pub(crate) exposed: ExposedMr,
    pub(crate) srq: Option<Srq>,
    pub(crate) qp: Qp<T, Rts>,
}

impl<T: QpType> Side<T> {
    /// A buffer with `len` bytes that only `seed` has.
    pub(crate) fn filled(&self, len: usize, seed: u8) -> Buf {
        let mut buf = self.memory.take().unwrap();
        buf.set_len(len);
        buf.iter_mut()
            .zip(pattern(seed))
            .for_each(|(to, from)| *to = from);
        buf
    }

    pub(crate) fn post_recv(&mut self, bufs: impl Into<Bufs>, token: u64) {
        match &mut self.srq {
            Some(srq) => srq.post_recv(bufs, token).unwrap(),
            None => self.qp.post_recv(bufs, token).unwrap(),
        }
    }

    /// Takes completions until `count` pieces of work are over.
    pub(crate) fn wait(&mut self, count: usize) -> Vec<Done> {
        let mut all = Vec::new();
        let start = std::time::Instant::now();
        while all.len() < count {
            assert!(start.elapsed() < PATIENCE, "{all:?} of {count}");
            let completions = match self.cq.channel() {
                Some(_) => self.cq.wait(PATIENCE).unwrap(),
                None => self.cq.poll().unwrap(),
            };
            for mut completion in completions {
                if let Some(srq) = self.srq.as_mut().filter(|srq| srq.owns(&completion)) {
                    all.extend(srq.complete(&mut completion).unwrap());
                    continue;
                }
                while let Some(done) = self.qp.complete(&mut completion).unwrap() {
                    all.push(done);
                }
            }
        }
        all
    }
}

/// Bytes that differ from one seed to the next.
pub(crate) fn pattern(seed: u8) -> impl Iterator<Item = u8> {
    (0_u32..).map(move |at| (at % 251).to_le_bytes()[0] ^ seed)
}

fn is_pattern(bytes: &[u8], seed: u8) -> bool {
    bytes
        .iter()
        .zip(pattern(seed))
        .all(|(is, wanted)| *is == wanted)
}

/// What a side is made of, before there is a queue pair.
pub(crate) struct Parts {
    pub(crate) context: Context,
    pd: Pd,
    cq: Cq,
    srq: Option<Srq>,
}

impl Parts {
    pub(crate) fn new(rxe: &Rxe, manner: Manner) -> Self {
        let context = open(rxe);
        let pd = context.alloc_pd().unwrap();
        let mut attr = CqAttr::new(64);
        if manner.is_extended {
            attr = attr.extended();
        }
        if manner.has_events {
            attr = attr.events(&context.create_comp_channel().unwrap());
        }
        let cq = context.create_cq_with(&attr);
        let srq = manner.has_srq.then(|| pd.create_srq(8, 8).unwrap());
        Parts {
            cq: cq.unwrap(),
            context,
            pd,
            srq,
        }
    }

    fn cap() -> QpCap {
        QpCap::new(8, 8).pieces(8, 8).inline(64)
    }

    pub(crate) fn finish<T: QpType>(self, qp: Qp<T, Rts>) -> Side<T> {
        let Parts { pd, cq, srq, .. } = self;
        Side {
            memory: pd.register_local(32, SIZE).unwrap(),
            exposed: pd
                .register_exposed(SIZE as usize, RemoteAccess::ALL)
                .unwrap(),
            cq,
            srq,
            qp,
        }
    }
}

/// Two connected sides.
pub(crate) fn sides<T: Connected>(
    rxe: &Rxe,
    manner: Manner,
    create: impl Fn(&Parts) -> Qp<T, Reset>,
) -> (Side<T>, Side<T>) {
    joined(rxe, [(); 2].map(|()| Parts::new(rxe, manner)), create)
}

/// Two connected sides of these parts.
fn joined<T: Connected>(
    rxe: &Rxe,
    parts: [Parts; 2],
    create: impl Fn(&Parts) -> Qp<T, Reset>,
) -> (Side<T>, Side<T>) {
    let qps = [0, 1].map(|n| {
        let attr = InitAttr::new(PORT).access(RemoteAccess::ALL);
        create(&parts[n]).init_with(&attr).unwrap()
    });
    let [first, second] = parts;
    let [a, b] = qps;
    let (a, b) = connect(&first.context, index(rxe), a, b);
    (first.finish(a), second.finish(b))
}

pub(crate) fn reliable(parts: &Parts) -> Qp<Rc, Reset> {
    let Parts { pd, cq, srq, .. } = parts;
    match srq {
        Some(srq) => pd.create_rc_with_srq(cq, cq, srq, Parts::cap()),
        None => pd.create_rc(cq, cq, Parts::cap()),
    }
    .unwrap()
}

pub(crate) fn unreliable(parts: &Parts) -> Qp<Uc, Reset> {
    let Parts { pd, cq, srq, .. } = parts;
    match srq {
        Some(srq) => pd.create_uc_with_srq(cq, cq, srq, Parts::cap()),
        None => pd.create_uc(cq, cq, Parts::cap()),
    }
    .unwrap()
}

pub(crate) fn well<D: Debug>(done: &[Done], cell: D) {
    for done in done {
        assert_eq!(done.status, WcStatus::Success, "{cell:?}: {done:?}");
    }
}

/// All manners there are.
pub(crate) fn every_manner() -> Vec<Manner> {
    let mut all = Vec::new();
    for local in [
        LocalSide::One,
        LocalSide::Several,
        LocalSide::Inline,
        LocalSide::Exposed,
    ] {
        for bits in 0..32_u8 {
            all.push(Manner {
                local,
                is_signalled: bits & 1 == 0,
                is_batch: bits & 2 != 0,
                has_srq: bits & 4 != 0,
                has_events: bits & 8 != 0,
                is_extended: bits & 16 != 0,
            });
        }
    }
    all
}

/// All manners that a type of queue pair has on this side, in a table.
fn manners() -> Vec<Manner> {
    let mut all = Vec::new();
    for local in [
        LocalSide::One,
        LocalSide::Several,
        LocalSide::Inline,
        LocalSide::Exposed,
    ] {
        for bits in 0..8_u8 {
            all.push(Manner {
                local,
                is_signalled: bits & 1 != 0,
                is_batch: bits & 2 != 0,
                has_srq: bits & 4 != 0,
                has_events: bits % 3 == 1,
                is_extended: false,
            });
        }
    }
    all
}
