//! What is to be played.

use std::time::Duration;

use anyhow::{Result, ensure};
use netprims_rdma::{GidIndex, Mtu, PortNum};

/// By which queue pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of a reliable connection.
    Rc,
    /// One of an unreliable connection.
    Uc,
    /// One for datagrams.
    Ud,
    /// Several of reliable connections, which take their receives from one shared queue.
    Srq,
}

/// Who begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that was there first, and answers.
    Server,
    /// The one that came, and sends the first message.
    Client,
}

/// What is to be played. Both sides must have the same kind, size, number of messages and MTU.
#[derive(Clone, Debug)]
pub struct Plan {
    /// By which queue pairs.
    pub kind: Kind,
    /// On which device; the first one, if it is not said.
    pub device: Option<String>,
    /// From which of its ports.
    pub port: PortNum,
    /// With which of the port's GIDs; on Ethernet, a good one is chosen if it is not said.
    pub gid_index: Option<GidIndex>,
    /// How large packets of a connection may be: as the port's MTU allows, if it is not said. Datagrams
    /// are always so large.
    pub mtu: Option<Mtu>,
    /// The InfiniBand service level.
    pub service_level: u8,
    /// Bytes in a message.
    pub size: u32,
    /// Messages each way.
    pub iters: u32,
    /// How many receives are kept posted, each with a buffer of its own.
    pub receives: u32,
    /// How many queue pairs; 1 but for [`Kind::Srq`].
    pub queue_pairs: u32,
    /// Sleep until something has arrived, instead of polling.
    pub events: bool,
    /// Check every byte of every message.
    pub check: bool,
    /// Measure how long each message and its answer took.
    pub latencies: bool,
    /// How long the peer may say nothing.
    pub patience: Duration,
}

impl Plan {
    /// As rdma-core's program of this kind plays when it is told nothing; but with 16 receives instead
    /// of 500, since each has its own buffer here.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Plan {
            kind,
            device: None,
            port: PortNum::FIRST,
            gid_index: None,
            mtu: Some(Mtu::B1024),
            service_level: 0,
            size: kind.default_size(),
            iters: 1000,
            receives: 16,
            queue_pairs: kind.default_queue_pairs(),
            events: false,
            check: false,
            latencies: false,
            patience: Duration::from_secs(30),
        }
    }

    /// # Errors
    ///
    /// What cannot be played, in words.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.size > 0, "a message needs at least one byte");
        ensure!(self.iters > 0, "at least one message must go each way");
        ensure!(self.receives > 0, "at least one receive must be posted");
        ensure!(!self.patience.is_zero(), "no patience at all");
        let most = Kind::GREETINGS_OF_SRQ - 1;
        match self.kind {
            Kind::Srq => ensure!(
                (1..=most).contains(&self.queue_pairs),
                "{} queue pairs: must be 1 to {most}",
                self.queue_pairs
            ),
            Kind::Rc | Kind::Uc | Kind::Ud => ensure!(
                self.queue_pairs == 1,
                "{} queue pairs; only those on a shared receive queue may be several",
                self.queue_pairs
            ),
        }
        ensure!(
            self.receives >= self.queue_pairs,
            "{} receives are too few for {} queue pairs: each needs one",
            self.receives,
            self.queue_pairs
        );
        Ok(())
    }
}

impl Kind {
    /// How many addresses the sides of `ibv_srq_pingpong` exchange, however many queue pairs they have.
    pub(crate) const GREETINGS_OF_SRQ: u32 = 256;

    /// Bytes in a message, unless it is said.
    #[must_use]
    pub const fn default_size(self) -> u32 {
        match self {
            Kind::Ud => 1024,
            Kind::Rc | Kind::Uc | Kind::Srq => 4096,
        }
    }

    /// How many queue pairs, unless it is said.
    #[must_use]
    pub const fn default_queue_pairs(self) -> u32 {
        match self {
            Kind::Srq => 16,
            Kind::Rc | Kind::Uc | Kind::Ud => 1,
        }
    }

    /// How many addresses each side sends when they meet.
    pub(crate) const fn greetings(self) -> u32 {
        match self {
            Kind::Srq => Kind::GREETINGS_OF_SRQ,
            Kind::Rc | Kind::Uc | Kind::Ud => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::size(Plan { size: 0, ..Plan::new(Kind::Rc) }, "at least one byte")]
    #[case::iters(Plan { iters: 0, ..Plan::new(Kind::Rc) }, "at least one message")]
    #[case::receives(Plan { receives: 0, ..Plan::new(Kind::Uc) }, "at least one receive")]
    #[case::several(Plan { queue_pairs: 2, ..Plan::new(Kind::Ud) }, "2 queue pairs; only")]
    #[case::none(Plan { queue_pairs: 0, ..Plan::new(Kind::Srq) }, "0 queue pairs: must be 1 to 255")]
    #[case::many(Plan { queue_pairs: 256, ..Plan::new(Kind::Srq) }, "must be 1 to 255")]
    #[case::few(Plan { receives: 15, ..Plan::new(Kind::Srq) }, "15 receives are too few for 16")]
    fn what_cannot_be_played_is_said_in_words(#[case] plan: Plan, #[case] text: &str) {
        let error = plan.check().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }

    #[rstest]
    fn what_rdma_core_plays_by_default_can_be_played(
        #[values(Kind::Rc, Kind::Uc, Kind::Ud, Kind::Srq)] kind: Kind,
    ) {
        Plan::new(kind).check().unwrap();
    }
}
