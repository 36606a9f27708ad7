//! What safe code may try, on Soft-RoCE.
//!
//! - `exploits`: what breaks other crates from safe code, tried here.
//! - `going`: guards dropped and kept for ever, in orders drawn by a fixed seed, under a peer that goes on.
//! - `watched`: the memory, past all owners.

mod exploits;
mod going;
mod watched;

use lab_tests::{Rxe, gate};
use netprims_rdma::{
    Buf, BufList, Context, Cq, ExposedMr, InitAttr, Mr, Pd, Qp, QpCap, Queue, Rc, RemoteAccess,
    RemoteKey, RemoteSlice, Rts, WcStatus, Wr,
};

use super::PORT;
use super::pair::{connect, drain, index, open};
use watched::Watched;

/// How large a buffer is.
const SIZE: u32 = 256;
const CAP: QpCap = QpCap::new(8, 8).pieces(2, 2).inline(32);

/// One of two that talk to each other, with a device of its own.
struct Side {
    context: Context,
    pd: Pd,
    cq: Cq,
    memory: Mr,
    exposed: ExposedMr,
    qp: Qp<Rc, Rts>,
}

impl Side {
    fn filled(&self, byte: u8) -> Buf {
        let mut buf = self.memory.take().unwrap();
        buf.fill(byte);
        buf
    }
}

/// Two connected sides.
fn sides(rxe: &Rxe) -> (Side, Side) {
    let side = || {
        let context = open(rxe);
        let pd = context.alloc_pd().unwrap();
        let cq = context.create_cq(64).unwrap();
        let memory = pd.register_local(16, SIZE).unwrap();
        let exposed = pd.register_exposed(4096, RemoteAccess::ALL).unwrap();
        (context, pd, cq, memory, exposed)
    };
    let parts = [side(), side()];
    let [a, b] = [0, 1].map(|n| {
        let (_, pd, cq, ..) = &parts[n];
        let attr = InitAttr::new(PORT).access(RemoteAccess::ALL);
        pd.create_rc(cq, cq, CAP).unwrap().init_with(&attr).unwrap()
    });
    let (a, b) = connect(&parts[0].0, index(rxe), a, b);
    let [first, second] = parts;
    let finish = |(context, pd, cq, memory, exposed), qp| Side {
        context,
        pd,
        cq,
        memory,
        exposed,
        qp,
    };
    (finish(first, a), finish(second, b))
}
