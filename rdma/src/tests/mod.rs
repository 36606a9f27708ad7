//! The whole crate against a device that misbehaves.

mod allocations;
#[cfg(feature = "tokio")]
mod async_cq;
mod asynchronous;
mod batches;
mod completions;
mod devices;
mod drains;
mod events;
mod extended;
mod extended_cq;
mod groups;
mod leaks;
mod lifetime;
mod matrix;
mod memory;
mod misbehaviour;
mod oracle;
mod posting;
mod recv_batches;
mod resets;
mod room;
mod sends;
mod shared;
mod work;

use crate::sys::fake::{BadWr, Fake, PostFailure};
use crate::{
    Buf, Context, Cq, Done, Endpoint, Error, Mr, Mtu, Pd, PortNum, Psn, Qp, QpCap, QpType, Qpn,
    Queue, Rc, RtrAttr, Rts, RtsAttr, Wr,
};

/// One device with one of everything.
struct Rig {
    fake: Fake,
    context: Context,
    pd: Pd,
    cq: Cq,
    memory: Mr,
}

const DEPTH: QpCap = QpCap::new(4, 4);

impl Rig {
    fn new() -> Self {
        let fake = Fake::new();
        let context = fake.context();
        let pd = context.alloc_pd().unwrap();
        let cq = context.create_cq(32).unwrap();
        let memory = pd.register_local(16, 100).unwrap();
        Rig {
            fake,
            context,
            pd,
            cq,
            memory,
        }
    }

    /// A connected queue pair.
    fn qp(&self) -> Qp<Rc, Rts> {
        connected(&self.pd, &self.cq, DEPTH)
    }

    fn buf(&self) -> Buf {
        self.memory.take().unwrap()
    }

    /// Polls once, and hands everything to one queue pair.
    fn complete_all<T: QpType>(&mut self, qp: &mut Qp<T, Rts>) -> Result<Vec<Done>, Error> {
        let mut all = Vec::new();
        for mut completion in self.cq.poll()? {
            while let Some(done) = qp.complete(&mut completion)? {
                all.push(done);
            }
        }
        Ok(all)
    }

    fn free_slots(&self) -> usize {
        let taken: Vec<Buf> = std::iter::from_fn(|| self.memory.take()).collect();
        taken.len()
    }

    /// Of the next requests, so many go through, and then one does not.
    fn fail_post_after(&self, after: usize, result: i32, bad_wr: BadWr) {
        self.fail_next_post(result, bad_wr, false);
        if let Some(failure) = &mut self.fake.state().fail_next_post {
            failure.after = after;
        }
    }

    fn fail_next_post(&self, result: i32, bad_wr: BadWr, queued: bool) {
        self.fake.state().fail_next_post = Some(PostFailure {
            result,
            bad_wr,
            queued,
            after: 0,
        });
    }
}

fn peer() -> Endpoint {
    Endpoint::new(Qpn::new(17).unwrap(), Psn::new(1).unwrap())
}

fn connected(pd: &Pd, cq: &Cq, depth: QpCap) -> Qp<Rc, Rts> {
    let qp = pd.create_rc(cq, cq, depth).unwrap();
    let qp = qp.init(PortNum::FIRST).unwrap();
    let qp = qp.rtr(&RtrAttr::new(peer(), Mtu::B1024)).unwrap();
    qp.rts(&RtsAttr::new(Psn::new(2).unwrap())).unwrap()
}

fn tokens(done: &[Done], queue: Queue) -> Vec<u64> {
    done.iter()
        .filter(|done| done.queue == queue)
        .map(|done| done.token)
        .collect()
}
