//! One side of a measurement, until it knows the other.

use std::hash::{BuildHasher, RandomState};

use anyhow::{Context as _, Result, ensure};
use netprims_rdma::{
    Context, Cq, Device, Endpoint, ExposedMr, GidIndex, Init, InitAttr, LinkLayer, Mr, Mtu, Psn,
    Qp, QpCap, Rc, RemoteAccess, RemoteSlice, RtrAttr, RtsAttr,
};

use super::flow::Flow;
use super::{Load, Operation};
use crate::rdma::source::Source;

/// The messages under way at once in a direction are together no larger; a side has memory for three times as much at most.
const MOST_MEMORY: u64 = 1 << 30;
/// Reads that may be under way at once on this queue pair, in each direction: more need resources of
/// the device that not all have.
const READS: u8 = 16;

/// A queue pair whose receives are posted, and its memory.
pub(super) struct Side {
    load: Load,
    cq: Cq,
    qp: Qp<Rc, Init>,
    endpoint: Endpoint,
    mtu: Mtu,
    gid_index: Option<GidIndex>,
    /// What this side sends, writes from or reads into; none if it does not.
    outgoing: Option<Mr>,
    /// What it receives into.
    incoming: Option<Mr>,
    /// What the other side writes to or reads from.
    exposed: Option<ExposedMr>,
    patience: std::time::Duration,
}

/// Opens the device.
pub(super) fn open(source: &Source) -> Result<Context> {
    let device = match &source.device {
        Some(name) => Device::by_name(name)?,
        None => Device::first()?,
    };
    Ok(device.open()?)
}

impl Side {
    /// A side that `moves` something, and whose other side does if `is_moved_to`.
    pub(super) fn open(
        source: &Source,
        mtu: Option<Mtu>,
        load: &Load,
        moves: bool,
        is_moved_to: bool,
    ) -> Result<Self> {
        let context = open(source)?;
        let port = context.query_port(source.ib_port)?;
        let Load { size, depth, .. } = *load;
        let depths = context.query_device()?.max_qp_depth();
        ensure!(
            depth.saturating_mul(2) <= depths,
            "{depth} messages at the same time are too many: a queue of {} holds {depths}, and \
             there must be room for twice as many",
            context.device_name()
        );
        ensure!(
            port.max_message == 0 || size <= port.max_message,
            "{size} bytes are more than port {} of {} can move in one message, which is {}",
            source.ib_port,
            context.device_name(),
            port.max_message
        );
        if let Some((packet, most)) = mtu.and_then(Mtu::bytes).zip(port.active_mtu.bytes()) {
            ensure!(
                packet <= most,
                "packets of {packet} bytes are too large: the MTU of port {} is {most}",
                source.ib_port
            );
        }
        let total = u64::from(size) * u64::from(depth);
        ensure!(
            total <= MOST_MEMORY,
            "{depth} messages of {size} bytes at the same time need {total} bytes of memory, and \
             this program takes {MOST_MEMORY}; use a smaller --depth or --size"
        );
        let gid_index = match source.gid_index {
            None if port.link_layer == LinkLayer::Ethernet => {
                Some(context.select_gid(source.ib_port)?.index)
            }
            given => given,
        };

        let receives = is_moved_to && load.operation == Operation::Send;
        let is_exposed = is_moved_to && load.operation != Operation::Send;
        let sends = if moves { depth } else { 1 };
        // While some wait to be posted again, others are there.
        let recvs = if receives { depth * 2 } else { 0 };
        let pd = context.alloc_pd()?;
        let cq = context.create_cq(sends + recvs)?;
        let access = match load.operation {
            Operation::Write => RemoteAccess::WRITE,
            Operation::Read => RemoteAccess::READ,
            Operation::Send => RemoteAccess::NONE,
        };
        let attr = InitAttr::new(source.ib_port).access(access);
        let mut qp = pd
            .create_rc(&cq, &cq, QpCap::new(sends, recvs))?
            .init_with(&attr)?;
        let buffers = |count, is_needed: bool| match is_needed {
            true => pd.register_local(count, size).map(Some),
            false => Ok(None),
        };
        let outgoing = buffers(depth, moves)?;
        let incoming = buffers(recvs, receives)?;
        for buf in incoming
            .iter()
            .flat_map(|memory| std::iter::from_fn(|| memory.take()))
        {
            qp.post_recv(buf, 0)?;
        }
        let exposed = match is_exposed {
            true => Some(pd.register_exposed(usize::try_from(size)?, access)?),
            false => None,
        };
        let random = RandomState::new().hash_one("psn");
        let psn = Psn::truncate(u32::try_from(random >> 32).unwrap_or(0));
        let mut endpoint = Endpoint::new(qp.number(), psn).at_lid(port.lid);
        if let Some(index) = gid_index {
            endpoint.gid = Some(context.query_gid(source.ib_port, index)?.gid);
        }
        Ok(Side {
            load: *load,
            cq,
            qp,
            endpoint,
            mtu: mtu.unwrap_or(port.active_mtu),
            gid_index,
            outgoing,
            incoming,
            exposed,
            patience: source.patience(),
        })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn memory(&self) -> Option<RemoteSlice> {
        self.exposed.as_ref().map(ExposedMr::remote)
    }

    pub(super) fn mtu(&self) -> Mtu {
        self.mtu
    }

    /// Makes packets no larger than the other side can have them.
    pub(super) fn limit_mtu(&mut self, mtu: Mtu) {
        if mtu.raw() < self.mtu.raw() {
            self.mtu = mtu;
        }
    }

    /// Connects with the other side, whose memory is `there`.
    pub(super) fn connect(self, remote: &Endpoint, there: Option<RemoteSlice>) -> Result<Flow> {
        let mut attr = RtrAttr::new(*remote, self.mtu).incoming_reads(READS);
        if let Some(index) = self.gid_index.filter(|_| remote.gid.is_some()) {
            attr = attr.via_gid(index);
        }
        let rts = RtsAttr::new(self.endpoint.psn).outgoing_reads(READS);
        let qp = self.qp.rtr(&attr)?.rts(&rts)?;
        let needs_memory = self.outgoing.is_some() && self.load.operation != Operation::Send;
        let there = match needs_memory {
            true => there.context("the other side named no memory")?,
            false => RemoteSlice::new(0, 0, netprims_rdma::RemoteKey::new(0)),
        };
        Ok(Flow::new(
            self.load,
            qp,
            self.cq,
            there,
            self.outgoing,
            (self.incoming, self.exposed),
            self.patience,
        ))
    }
}
