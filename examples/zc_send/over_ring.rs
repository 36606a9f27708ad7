use std::io;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, ensure};
use netprims::ring::{Event, Ring, Socket, TxPool, Wait, ZcPolicy};

use super::{Args, Outcome, PATIENCE, Sender, fill};

/// A ring with one socket and the buffers to send on it.
pub(super) struct OverRing {
    ring: Ring,
    pool: TxPool,
    socket: Socket,
    policy: ZcPolicy,
    /// The first send that failed.
    failure: Option<io::Error>,
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

    /// Waits for an event.
    fn wait(&mut self) -> Result<()> {
        let failure = &mut self.failure;
        let events = self.ring.poll(Wait::AtMost(PATIENCE), |event| {
            // A released buffer is dropped here, and so goes back to the pool.
            if let Event::Sent {
                result: Err(error), ..
            } = event
            {
                failure.get_or_insert(error);
            }
        })?;
        ensure!(events > 0, "the peer does not acknowledge what it was sent");
        Ok(())
    }
}

impl Sender for OverRing {
    /// One send at a time waits for its result, because a stream may take less than it is given, and what follows must
    /// start where it stopped. Released buffers are waited for only when all are out.
    fn send_stream(&mut self, total: u64) -> Result<()> {
        let mut position = 0;
        while position < total {
            let Some(mut buf) = self.pool.take() else {
                self.wait()?;
                continue;
            };
            let left = usize::try_from(total - position).unwrap_or(usize::MAX);
            buf.set_len(left.min(buf.capacity()))?;
            fill(&mut buf, position);
            let ticket = self.ring.send(self.socket, buf, self.policy)?;
            let mut taken = None;
            while taken.is_none() {
                let events = self.ring.poll(Wait::AtMost(PATIENCE), |event| {
                    if let Event::Sent {
                        ticket: sent,
                        result,
                        ..
                    } = event
                    {
                        if sent == ticket {
                            taken = Some(result);
                        }
                    }
                })?;
                ensure!(events > 0, "the peer takes nothing");
            }
            let bytes = taken.transpose().context("send")?.unwrap_or(0);
            position += u64::try_from(bytes)?;
        }
        Ok(())
    }

    /// As many at a time as there are buffers.
    fn send_datagrams(&mut self, count: u32) -> Result<()> {
        let mut sent = 0;
        while sent < count {
            let Some(mut buf) = self.pool.take() else {
                self.wait()?;
                continue;
            };
            fill(&mut buf, 0);
            self.ring.send(self.socket, buf, self.policy)?;
            sent += 1;
        }
        Ok(())
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
            failure: self.failure.map(|error| error.to_string()),
        })
    }
}
