use std::os::fd::OwnedFd;

use anyhow::{Result, ensure};
use netprims::ring::{Event, Ring, Socket, TxBuf, TxPool, Wait, ZcPolicy};

use super::{Args, Outcome, PATIENCE, Sender};

/// A ring with one socket and the buffers to send on it.
pub(super) struct OverRing {
    ring: Ring,
    pool: TxPool,
    socket: Socket,
    policy: ZcPolicy,
    /// The first send that failed.
    failure: Option<String>,
}

impl OverRing {
    pub(super) fn new(mut ring: Ring, args: &Args, socket: OwnedFd) -> Result<Self> {
        let pool = ring.tx_pool(args.buffers, args.size)?;
        let socket = ring.add(socket)?;
        let policy = if args.plain {
            ZcPolicy::Never
        } else {
            ZcPolicy::Always
        };
        Ok(Self {
            ring,
            pool,
            socket,
            policy,
            failure: None,
        })
    }
}

impl Sender for OverRing {
    fn pool(&self) -> &TxPool {
        &self.pool
    }

    fn send(&mut self, buf: TxBuf) -> Result<()> {
        self.ring.send(self.socket, buf, self.policy)?;
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        let failure = &mut self.failure;
        let events = self.ring.poll(Wait::AtMost(PATIENCE), |event| {
            // A released buffer is dropped here, and so goes back to the pool.
            if let Event::Sent {
                result: Err(error), ..
            } = event
            {
                failure.get_or_insert(error.to_string());
            }
        })?;
        ensure!(events > 0, "the peer takes or acknowledges nothing");
        Ok(())
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn finish(mut self: Box<Self>) -> Result<Outcome> {
        while self.ring.in_flight() > 0 {
            self.wait()?;
        }
        netprims::fd::close(self.ring.remove(self.socket)?)?;
        let offered = self.ring.capabilities();
        let has = |it| if it { "yes" } else { "not in this kernel" };
        let totals = self.ring.totals();
        Ok(Outcome {
            offer: format!(
                "zero-copy sends: {}, usage report: {}",
                has(offered.zero_copy),
                has(offered.usage_report)
            ),
            sends: totals.sends,
            zero_copied: totals.zero_copied,
            copied: totals.copied,
            unknown: totals.unknown,
            not_sent: totals.not_sent,
            failure: self.failure,
        })
    }
}
