//! What differs between the types of queue pairs.

use anyhow::{Context as _, Result};
use netprims_rdma::{
    Buf, Completion, Connected, Cq, Datagram, Done, Endpoint, GidIndex, Init, Mtu, Path, Pd,
    PortNum, Qkey, Qp, QpCap, Qpn, Rc, RtrAttr, Rts, RtsAttr, Srq, Uc, Ud, Wr,
};

use crate::plan::{Kind, Plan};

/// The key of rdma-core's program for datagrams.
const QKEY: Qkey = Qkey::new(0x1111_1111);

/// How many bytes stand before a datagram in its buffer.
pub(crate) const HEADER: u32 = 40;

/// The way to the peer, as far as this side decides it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) port: PortNum,
    pub(crate) mtu: Mtu,
    pub(crate) service_level: u8,
    pub(crate) gid_index: Option<GidIndex>,
}

/// Queue pairs that may receive, but do not know whom from.
#[derive(Debug)]
pub(crate) enum Unconnected {
    Rc(Qp<Rc, Init>),
    Uc(Qp<Uc, Init>),
    /// With the domain, in which the address of the peer will be.
    Ud(Qp<Ud, Init>, Pd),
    Srq(Srq, Vec<Qp<Rc, Init>>),
}

impl Unconnected {
    pub(crate) fn create(plan: &Plan, pd: &Pd, cq: &Cq, cap: QpCap) -> Result<Self> {
        let port = plan.port;
        Ok(match plan.kind {
            Kind::Rc => Unconnected::Rc(pd.create_rc(cq, cq, cap)?.init(port)?),
            Kind::Uc => Unconnected::Uc(pd.create_uc(cq, cq, cap)?.init(port)?),
            Kind::Ud => {
                let qp = pd.create_ud(cq, cq, cap)?.init(port, QKEY)?;
                Unconnected::Ud(qp, pd.clone())
            }
            Kind::Srq => {
                let srq = pd.create_srq(cap.recvs(), 1)?;
                let mut qps = Vec::new();
                for _ in 0..plan.queue_pairs {
                    let qp = pd.create_rc_with_srq(cq, cq, &srq, QpCap::new(cap.sends(), 0))?;
                    qps.push(qp.init(port)?);
                }
                Unconnected::Srq(srq, qps)
            }
        })
    }

    pub(crate) fn numbers(&self) -> Vec<Qpn> {
        match self {
            Unconnected::Rc(qp) => vec![qp.number()],
            Unconnected::Uc(qp) => vec![qp.number()],
            Unconnected::Ud(qp, _) => vec![qp.number()],
            Unconnected::Srq(_, qps) => qps.iter().map(Qp::number).collect(),
        }
    }

    pub(crate) fn post_recv(&mut self, buf: Buf) -> Result<()> {
        match self {
            Unconnected::Rc(qp) => qp.post_recv(buf, 0)?,
            Unconnected::Uc(qp) => qp.post_recv(buf, 0)?,
            Unconnected::Ud(qp, _) => qp.post_recv(buf, 0)?,
            Unconnected::Srq(srq, _) => srq.post_recv(buf, 0)?,
        }
        Ok(())
    }

    /// Connects each with the remote one of the same place.
    pub(crate) fn connect(
        self,
        local: &[Endpoint],
        remote: &[Endpoint],
        way: &Way,
    ) -> Result<Link> {
        let (mine, peer) = local.first().zip(remote.first()).context("no queue pair")?;
        Ok(match self {
            Unconnected::Rc(qp) => Link::Rc(connect(qp, mine, peer, way)?),
            Unconnected::Uc(qp) => Link::Uc(connect(qp, mine, peer, way)?),
            Unconnected::Ud(qp, pd) => {
                let qp = qp.rtr()?.rts(mine.psn)?;
                let mut path = Path::from(way.port)
                    .to_lid(peer.lid)
                    .service_level(way.service_level);
                if let Some((gid, own)) = peer.gid.zip(way.gid_index) {
                    path = path.to_gid(gid, own);
                }
                Link::Ud(qp, Datagram::new(pd.create_ah(&path)?, peer.qpn, QKEY))
            }
            Unconnected::Srq(srq, qps) => {
                let mut connected = Vec::new();
                for ((qp, mine), peer) in qps.into_iter().zip(local).zip(remote) {
                    connected.push(connect(qp, mine, peer, way)?);
                }
                Link::Srq(srq, connected)
            }
        })
    }
}

/// Connects one queue pair of a type that has one peer.
fn connect<T: Connected>(
    qp: Qp<T, Init>,
    local: &Endpoint,
    remote: &Endpoint,
    way: &Way,
) -> Result<Qp<T, Rts>> {
    let mut attr = RtrAttr::new(*remote, way.mtu).service_level(way.service_level);
    if let Some(index) = way.gid_index.filter(|_| remote.gid.is_some()) {
        attr = attr.via_gid(index);
    }
    Ok(qp.rtr(&attr)?.rts(&RtsAttr::new(local.psn))?)
}

/// Queue pairs that know their peers.
#[derive(Debug)]
pub(crate) enum Link {
    Rc(Qp<Rc, Rts>),
    Uc(Qp<Uc, Rts>),
    /// With the peer, which each datagram must name.
    Ud(Qp<Ud, Rts>, Datagram),
    Srq(Srq, Vec<Qp<Rc, Rts>>),
}

impl Link {
    /// How many queue pairs there are. Each has a place: 0, 1 and so on.
    pub(crate) fn places(&self) -> usize {
        match self {
            Link::Rc(_) | Link::Uc(_) | Link::Ud(..) => 1,
            Link::Srq(_, qps) => qps.len(),
        }
    }

    pub(crate) fn post_recv(&mut self, buf: Buf) -> Result<()> {
        match self {
            Link::Rc(qp) => qp.post_recv(buf, 0)?,
            Link::Uc(qp) => qp.post_recv(buf, 0)?,
            Link::Ud(qp, _) => qp.post_recv(buf, 0)?,
            Link::Srq(srq, _) => srq.post_recv(buf, 0)?,
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, place: usize, buf: Buf) -> Result<()> {
        match self {
            Link::Rc(qp) => qp.post_send(buf, 0)?,
            Link::Uc(qp) => qp.post_send(buf, 0)?,
            Link::Ud(qp, peer) => qp.post(Wr::send_to(buf, peer), 0)?,
            Link::Srq(_, qps) => {
                let qp = qps.get_mut(place).context("no such queue pair")?;
                qp.post_send(buf, 0)?;
            }
        }
        Ok(())
    }

    /// Work that is over, and the place of its queue pair.
    pub(crate) fn complete(
        &mut self,
        completion: &mut Completion<'_>,
    ) -> Result<Option<(usize, Done)>> {
        let at_first = |done: Option<Done>| done.map(|done| (0, done));
        Ok(match self {
            Link::Rc(qp) => at_first(qp.complete(completion)?),
            Link::Uc(qp) => at_first(qp.complete(completion)?),
            Link::Ud(qp, _) => at_first(qp.complete(completion)?),
            Link::Srq(srq, qps) => {
                let number = completion.qp_number();
                let mut all = qps.iter_mut().enumerate();
                let found = all.find(|(_, qp)| qp.number().number() == number);
                let (place, qp) = found.context("a completion of no queue pair of this game")?;
                // Receives are the shared queue's, whichever queue pair they came by.
                let done = match srq.owns(completion) {
                    true => srq.complete(completion)?,
                    false => qp.complete(completion)?,
                };
                done.map(|done| (place, done))
            }
        })
    }

    /// Whether somebody else than the peer sent it: anybody may send datagrams.
    pub(crate) fn is_of_a_stranger(&self, received: &Done) -> bool {
        match self {
            Link::Ud(_, peer) => received.source() != Some(peer.qpn),
            Link::Rc(_) | Link::Uc(_) | Link::Srq(..) => false,
        }
    }

    /// Destroys the queue pairs, and says whether that worked.
    pub(crate) fn close(self) -> Result<()> {
        match self {
            Link::Rc(qp) => qp.close()?,
            Link::Uc(qp) => qp.close()?,
            Link::Ud(qp, _) => qp.close()?,
            Link::Srq(_, qps) => {
                for qp in qps {
                    qp.close()?;
                }
            }
        }
        Ok(())
    }
}
