//! Posts and polls by netprims-rdma: what the public API costs with all its checks, for the count of instructions.
//!
//! usage: verbs_ours send|write|recv|selective|batch COUNT

use std::env;
use std::iter;

use anyhow::{Context as _, Result};
use netprims_rdma::{
    Buf, Cq, Device, Endpoint, Mr, Mtu, PortNum, Psn, Qp, QpCap, Qpn, Rc, RemoteKey, RemoteSlice,
    RtrAttr, Rts, RtsAttr, Wr,
};

const BATCH: u32 = 16;
const BYTES: u32 = 64;
const USAGE: &str = "usage: verbs_ours send|write|recv|selective|batch COUNT";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [variant, count] = &arguments[..] else {
        anyhow::bail!(USAGE);
    };
    let count: u32 = count.parse().context(USAGE)?;
    let rig = Rig::new()?;
    match variant.as_str() {
        "send" => rig.one_by_one(count, |rig, buf| Ok(rig.qp.post_send(buf, 1)?)),
        "write" => rig.one_by_one(count, |rig, buf| {
            Ok(rig.qp.post(Wr::write(buf, rig.there), 1)?)
        }),
        "recv" => rig.one_by_one(count, |rig, buf| Ok(rig.qp.post_recv(buf, 1)?)),
        "selective" => rig.in_sixteens(count, Rig::post_selectively),
        "batch" => rig.in_sixteens(count, Rig::post_batch),
        _ => anyhow::bail!(USAGE),
    }
}

/// A connected queue pair.
struct Rig {
    cq: Cq,
    qp: Qp<Rc, Rts>,
    there: RemoteSlice,
    memory: Mr,
}

impl Rig {
    fn new() -> Result<Self> {
        let context = Device::first()?.open()?;
        let pd = context.alloc_pd()?;
        let cq = context.create_cq(128)?;
        let memory = pd.register_local(BATCH, BYTES)?;
        let psn = Psn::new(1)?;
        let peer = Endpoint::new(Qpn::new(17)?, psn);
        let qp = pd.create_rc(&cq, &cq, QpCap::new(64, 64))?;
        let qp = qp.init(PortNum::FIRST)?;
        let qp = qp.rtr(&RtrAttr::new(peer, Mtu::B1024))?;
        let qp = qp.rts(&RtsAttr::new(psn))?;
        let there = RemoteSlice::new(4096, u64::from(BYTES), RemoteKey::new(2));
        Ok(Rig {
            cq,
            qp,
            there,
            memory,
        })
    }

    /// Each request is posted when the one before it has completed.
    fn one_by_one(mut self, count: u32, post: impl Fn(&mut Rig, Buf) -> Result<()>) -> Result<()> {
        let mut buf = self.memory.take();
        for _ in 0..count {
            let Some(out) = buf else {
                anyhow::bail!("the buffer is lost");
            };
            post(&mut self, out)?;
            buf = None;
            while buf.is_none() {
                for mut completion in self.cq.poll()? {
                    while let Some(done) = self.qp.complete(&mut completion)? {
                        done.check()?;
                        buf = done.into_buf();
                    }
                }
            }
        }
        Ok(())
    }

    /// Sixteen requests are posted, and then their completions polled.
    fn in_sixteens(
        mut self,
        count: u32,
        post: impl Fn(&mut Rig, &mut Vec<Buf>) -> Result<()>,
    ) -> Result<()> {
        let mut bufs: Vec<Buf> = iter::from_fn(|| self.memory.take()).collect();
        let all = bufs.len();
        for _ in 0..count / BATCH {
            post(&mut self, &mut bufs)?;
            while bufs.len() < all {
                self.poll(|back| bufs.push(back))?;
            }
        }
        Ok(())
    }

    /// Each by itself; only the last is signalled.
    fn post_selectively(&mut self, bufs: &mut Vec<Buf>) -> Result<()> {
        while let Some(buf) = bufs.pop() {
            let wr = Wr::send(buf);
            let wr = if bufs.is_empty() {
                wr
            } else {
                wr.unsignalled()
            };
            self.qp.post(wr, 1)?;
        }
        Ok(())
    }

    /// All with one call, each signalled.
    fn post_batch(&mut self, bufs: &mut Vec<Buf>) -> Result<()> {
        let mut batch = self.qp.batch();
        for buf in bufs.drain(..) {
            batch.push(Wr::send(buf), 1)?;
        }
        batch.post()?;
        Ok(())
    }

    #[inline]
    fn poll(&mut self, mut back: impl FnMut(Buf)) -> Result<()> {
        for mut completion in self.cq.poll()? {
            while let Some(done) = self.qp.complete(&mut completion)? {
                done.check()?;
                if let Some(buf) = done.into_buf() {
                    back(buf);
                }
            }
        }
        Ok(())
    }
}
