//! Allocations of posting and polling, on a stand-in for libibverbs.

use std::iter;

use anyhow::{Context as _, Result, ensure};
use netprims_rdma::{
    Buf, Context, Cq, Datagram, Device, Endpoint, Lid, Mr, Mtu, Path, Pd, PortNum, Psn, Qkey, Qp,
    QpCap, QpType, Qpn, Rc, RemoteKey, RemoteSlice, RtrAttr, Rts, RtsAttr, Wr,
};

use crate::sys::counting_allocator::allocations;

const BATCH: u32 = 16;
const BYTES: u32 = 64;
const DEPTH: QpCap = QpCap::new(64, 64);

/// Each kind of work, with what a so large number of requests allocates.
pub(crate) fn run(operations: u32) -> Result<Vec<(&'static str, u64)>> {
    let there = RemoteSlice::new(4096, u64::from(BYTES), RemoteKey::new(2));
    Ok(vec![
        (
            "send",
            one_by_one(operations, |qp, buf| Ok(qp.post_send(buf, 1)?))?,
        ),
        (
            "write",
            one_by_one(operations, |qp, buf| Ok(qp.post(Wr::write(buf, there), 1)?))?,
        ),
        (
            "read",
            one_by_one(operations, |qp, buf| Ok(qp.post(Wr::read(buf, there), 1)?))?,
        ),
        (
            "receive",
            one_by_one(operations, |qp, buf| Ok(qp.post_recv(buf, 1)?))?,
        ),
        ("batch", batches(operations)?),
        ("shared-receive", shared(operations)?),
        ("datagram", datagrams(operations)?),
        ("poll", polls(operations)?),
    ])
}

/// A device, and what a queue pair of it needs.
struct Rig {
    _context: Context,
    pd: Pd,
    cq: Cq,
    memory: Mr,
}

impl Rig {
    fn new() -> Result<Self> {
        let context = Device::first()?.open()?;
        let pd = context.alloc_pd()?;
        Ok(Rig {
            cq: context.create_cq(256)?,
            memory: pd.register_local(BATCH, BYTES)?,
            pd,
            _context: context,
        })
    }

    fn connected(&self) -> Result<Qp<Rc, Rts>> {
        let psn = Psn::new(1)?;
        let peer = Endpoint::new(Qpn::new(17)?, psn);
        let qp = self.pd.create_rc(&self.cq, &self.cq, DEPTH)?;
        let qp = qp.init(PortNum::FIRST)?;
        let qp = qp.rtr(&RtrAttr::new(peer, Mtu::B1024))?;
        Ok(qp.rts(&RtsAttr::new(psn))?)
    }
}

/// What the second of two rounds allocates: in the first, it is not steady yet.
fn in_steady_state(mut round: impl FnMut() -> Result<()>) -> Result<u64> {
    round()?;
    let before = allocations();
    round()?;
    Ok(allocations() - before)
}

/// Hands everything that has completed to the queue pair, and the buffers to `back`.
fn complete<T: QpType>(cq: &mut Cq, qp: &mut Qp<T, Rts>, mut back: impl FnMut(Buf)) -> Result<()> {
    for mut completion in cq.poll()? {
        while let Some(done) = qp.complete(&mut completion)? {
            done.check()?;
            done.into_buf().into_iter().for_each(&mut back);
        }
    }
    Ok(())
}

fn one_by_one(operations: u32, post: impl Fn(&mut Qp<Rc, Rts>, Buf) -> Result<()>) -> Result<u64> {
    let mut rig = Rig::new()?;
    let mut qp = rig.connected()?;
    let mut buf = rig.memory.take();
    in_steady_state(|| {
        for _ in 0..operations {
            post(&mut qp, buf.take().context("the buffer is lost")?)?;
            while buf.is_none() {
                complete(&mut rig.cq, &mut qp, |back| buf = Some(back))?;
            }
        }
        Ok(())
    })
}

fn batches(operations: u32) -> Result<u64> {
    let mut rig = Rig::new()?;
    let mut qp = rig.connected()?;
    let mut bufs: Vec<Buf> = iter::from_fn(|| rig.memory.take()).collect();
    let all = bufs.len();
    in_steady_state(|| {
        for _ in 0..operations / BATCH {
            let mut batch = qp.batch();
            for buf in bufs.drain(..) {
                batch.push(Wr::send(buf), 1)?;
            }
            batch.post()?;
            while bufs.len() < all {
                complete(&mut rig.cq, &mut qp, |back| bufs.push(back))?;
            }
        }
        Ok(())
    })
}

fn shared(operations: u32) -> Result<u64> {
    let mut rig = Rig::new()?;
    let mut srq = rig.pd.create_srq(BATCH, 1)?;
    let qp = rig.pd.create_rc_with_srq(&rig.cq, &rig.cq, &srq, DEPTH)?;
    let mut buf = rig.memory.take();
    let counted = in_steady_state(|| {
        for _ in 0..operations {
            srq.post_recv(buf.take().context("the buffer is lost")?, 1)?;
            while buf.is_none() {
                for mut completion in rig.cq.poll()? {
                    while let Some(done) = srq.complete(&mut completion)? {
                        done.check()?;
                        buf = done.into_buf();
                    }
                }
            }
        }
        Ok(())
    });
    drop(qp);
    counted
}

fn datagrams(operations: u32) -> Result<u64> {
    let mut rig = Rig::new()?;
    let qkey = Qkey::new(0x1111_1111);
    let qp = rig.pd.create_ud(&rig.cq, &rig.cq, DEPTH)?;
    let qp = qp.init(PortNum::FIRST, qkey)?.rtr()?;
    let mut qp = qp.rts(Psn::new(1)?)?;
    let ah = rig
        .pd
        .create_ah(&Path::from(PortNum::FIRST).to_lid(Lid(1)))?;
    let to = Datagram::new(ah, Qpn::new(17)?, qkey);
    let mut buf = rig.memory.take();
    in_steady_state(|| {
        for _ in 0..operations {
            let out = buf.take().context("the buffer is lost")?;
            qp.post(Wr::send_to(out, &to), 1)?;
            while buf.is_none() {
                complete(&mut rig.cq, &mut qp, |back| buf = Some(back))?;
            }
        }
        Ok(())
    })
}

fn polls(operations: u32) -> Result<u64> {
    let mut rig = Rig::new()?;
    in_steady_state(|| {
        for _ in 0..operations {
            ensure!(rig.cq.poll()?.len() == 0, "a completion of nothing");
        }
        Ok(())
    })
}
