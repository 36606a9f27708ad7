//! What goes wrong, each on its own, and what holds then: nothing hangs, nothing panics, every buffer comes back once, and
//! nothing is left.

mod hostile;
mod killed;
mod locked_memory;
mod loss;
mod netdev;
mod not_ready;
mod outstanding;
mod peer;
mod promises;
mod refused_post;
mod rights;

use netprims_rdma::{
    Buf, Connected, Context, Endpoint, GidIndex, Init, Mr, Mtu, Psn, Qp, Qpn, RtrAttr, Rts, RtsAttr,
};

use super::PORT;

/// The first packet's number, on both sides.
const PSN: u32 = 9;

/// Where a queue pair of a device is found.
fn at(context: &Context, index: GidIndex, qpn: Qpn) -> Endpoint {
    let gid = context.query_gid(PORT, index).unwrap().gid;
    Endpoint::new(qpn, Psn::new(PSN).unwrap()).at_gid(gid)
}

/// Connects a queue pair to one that does the same. It gives a peer up that does not answer seven times.
fn join<T: Connected>(index: GidIndex, qp: Qp<T, Init>, to: Endpoint) -> Qp<T, Rts> {
    join_with(index, qp, to, |rts| rts)
}

fn join_with<T: Connected>(
    index: GidIndex,
    qp: Qp<T, Init>,
    to: Endpoint,
    patience: impl FnOnce(RtsAttr) -> RtsAttr,
) -> Qp<T, Rts> {
    let rtr = RtrAttr::new(to, Mtu::B1024).via_gid(index);
    // Soft-RoCE takes seven retries for endless ones.
    let rts = patience(RtsAttr::new(Psn::new(PSN).unwrap()).retries(6));
    qp.rtr(&rtr).unwrap().rts(&rts).unwrap()
}

/// Connects two queue pairs of one device, the first with a patience of its own.
fn join_both<T: Connected>(
    context: &Context,
    index: GidIndex,
    (a, b): (Qp<T, Init>, Qp<T, Init>),
    patience: impl FnOnce(RtsAttr) -> RtsAttr,
) -> (Qp<T, Rts>, Qp<T, Rts>) {
    let (at_a, at_b) = (
        at(context, index, a.number()),
        at(context, index, b.number()),
    );
    (join_with(index, a, at_b, patience), join(index, b, at_a))
}

/// All buffers that nobody has.
fn free(memory: &Mr) -> usize {
    let all: Vec<Buf> = std::iter::from_fn(|| memory.take()).collect();
    all.len()
}
