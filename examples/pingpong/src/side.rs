//! One side of a game, until it knows the other.

use std::hash::{BuildHasher, RandomState};

use anyhow::{Context as _, Result, ensure};
use netprims_rdma::{
    Context, Cq, Device, Endpoint, GidIndex, LinkLayer, Mr, Mtu, PortInfo, Psn, QpCap,
};

use crate::game::Game;
use crate::link::{HEADER, Unconnected, Way};
use crate::plan::{Kind, Plan};

/// One side: its queue pairs may already receive, since the peer may send as soon as it hears of them.
#[derive(Debug)]
pub struct Side {
    plan: Plan,
    cq: Cq,
    memory: Mr,
    queue_pairs: Unconnected,
    endpoints: Vec<Endpoint>,
    way: Way,
    chosen: Option<String>,
}

impl Side {
    /// Opens the device, and makes all that does not need the peer.
    ///
    /// # Errors
    ///
    /// What cannot be played, and what the device refuses.
    pub fn open(plan: &Plan) -> Result<Self> {
        plan.check()?;
        let device = match &plan.device {
            Some(name) => Device::by_name(name)?,
            None => Device::first()?,
        };
        let context = device.open()?;
        let port = context.query_port(plan.port)?;
        fits(plan, &port)?;
        let (gid_index, chosen) = source(&context, plan, &port)?;
        let gid = match gid_index {
            Some(index) => Some(context.query_gid(plan.port, index)?.gid),
            None => None,
        };

        let room = plan.receives.saturating_add(plan.queue_pairs);
        let pd = context.alloc_pd()?;
        let memory = pd.register_local(buffers(plan), slot(plan))?;
        let cq = match plan.events {
            true => context.create_cq_with_events(room)?,
            false => context.create_cq(room)?,
        };
        let mut queue_pairs = Unconnected::create(plan, &pd, &cq, QpCap::new(1, plan.receives))?;
        for _ in 0..plan.receives {
            let mut buf = memory.take().context("a buffer for each receive")?;
            if plan.check {
                crate::payload::spoil(&mut buf);
            }
            queue_pairs.post_recv(buf)?;
        }
        let numbers = queue_pairs.numbers();
        let endpoints = numbers.into_iter().map(|number| {
            let mut endpoint = Endpoint::new(number, random_psn()).at_lid(port.lid);
            endpoint.gid = gid;
            endpoint
        });
        Ok(Side {
            endpoints: endpoints.collect(),
            plan: plan.clone(),
            cq,
            memory,
            queue_pairs,
            way: Way {
                port: plan.port,
                mtu: plan.mtu.unwrap_or(port.active_mtu),
                service_level: plan.service_level,
                gid_index,
            },
            chosen,
        })
    }

    /// What is played.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How large packets of a connection are to be.
    #[must_use]
    pub fn mtu(&self) -> Mtu {
        self.way.mtu
    }

    /// Makes packets no larger than the peer can have them; both sides must have the same.
    pub fn limit_mtu(&mut self, mtu: Mtu) {
        if mtu.raw() < self.way.mtu.raw() {
            self.way.mtu = mtu;
        }
    }

    /// The GID that was chosen, and why; `None` if it was given, or none is needed.
    #[must_use]
    pub fn chosen(&self) -> Option<&str> {
        self.chosen.as_deref()
    }

    /// What the peer must know, of each queue pair.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Connects each queue pair with the peer's of the same place.
    ///
    /// # Errors
    ///
    /// The peer has fewer, or one of them is not accepted.
    pub fn connect(self, remote: &[Endpoint]) -> Result<Game> {
        let count = self.endpoints.len();
        let remote = remote.get(..count).with_context(|| {
            let given = remote.len();
            format!("the peer has {given} queue pairs instead of {count}")
        })?;
        let link = self
            .queue_pairs
            .connect(&self.endpoints, remote, &self.way)?;
        Ok(Game::new(&self.plan, self.cq, self.memory, link))
    }
}

/// Which GID traffic comes from, and the reason if nobody said so.
fn source(
    context: &Context,
    plan: &Plan,
    port: &PortInfo,
) -> Result<(Option<GidIndex>, Option<String>)> {
    if plan.gid_index.is_some() || port.link_layer != LinkLayer::Ethernet {
        return Ok((plan.gid_index, None));
    }
    let choice = context.select_gid(plan.port)?;
    Ok((Some(choice.index), Some(choice.to_string())))
}

/// All buffers of a side together are no larger: the size may be a peer's wish.
const MOST_MEMORY: u64 = 1 << 30;

/// How many buffers a side has: those of its receives, and for each queue pair a message under way and one that is about
/// to be.
fn buffers(plan: &Plan) -> u32 {
    plan.receives
        .saturating_add(plan.queue_pairs.saturating_mul(2))
}

/// What some devices would say only of the first packet that is too large, and what would take all memory.
fn fits(plan: &Plan, info: &PortInfo) -> Result<()> {
    ensure!(
        info.max_message == 0 || plan.size <= info.max_message,
        "messages of {} bytes are too large: port {} takes {}",
        plan.size,
        plan.port,
        info.max_message
    );
    let total = u64::from(buffers(plan)).saturating_mul(plan.size.into());
    ensure!(
        total <= MOST_MEMORY,
        "messages of {} bytes need {total} bytes of memory, and this program takes {MOST_MEMORY}",
        plan.size
    );
    let Some(most) = info.active_mtu.bytes() else {
        return Ok(());
    };
    let Plan { size, port, .. } = plan;
    ensure!(
        plan.kind != Kind::Ud || *size <= most,
        "{size} bytes do not fit a datagram: the MTU of port {port} is {most}"
    );
    let packet = plan.mtu.filter(|_| plan.kind != Kind::Ud);
    if let Some(packet) = packet.and_then(Mtu::bytes) {
        ensure!(
            packet <= most,
            "packets of {packet} bytes are too large: the MTU of port {port} is {most}"
        );
    }
    Ok(())
}

/// How large a buffer is.
fn slot(plan: &Plan) -> u32 {
    match plan.kind {
        Kind::Ud => plan.size.saturating_add(HEADER),
        Kind::Rc | Kind::Uc | Kind::Srq => plan.size,
    }
}

fn random_psn() -> Psn {
    let random = RandomState::new().hash_one("psn");
    Psn::truncate(u32::try_from(random >> 32).unwrap_or(0))
}
