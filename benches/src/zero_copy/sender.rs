use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use anyhow::{Result, bail, ensure};
use netprims::ring::{Event, Ring, Socket, Totals, TxBuf, Wait, ZcPolicy};

/// What is sent from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffers {
    pub(super) count: u32,
    pub(super) size: u32,
    /// How many may be in flight.
    pub(super) depth: u32,
}

/// A ring with one socket, which sends buffers of one size in turn.
pub(super) struct Sender {
    ring: Ring,
    socket: Socket,
    policy: ZcPolicy,
    /// How many sends may be in flight.
    depth: u32,
    /// The buffers that are not in flight, the one that was longest not used first.
    back: VecDeque<TxBuf>,
}

impl Sender {
    pub(super) fn new(socket: OwnedFd, buffers: Buffers, policy: ZcPolicy) -> Result<Self> {
        let Buffers { count, size, depth } = buffers;
        let mut ring = Ring::builder().in_flight(depth).build()?;
        // Whole pages: a send from the middle of one would need one more.
        let pool = ring.tx_pool(count, size.next_multiple_of(4096))?;
        let socket = ring.add(socket)?;
        let mut back = VecDeque::with_capacity(usize::try_from(count)?);
        while let Some(mut buf) = pool.take() {
            buf.set_len(usize::try_from(size)?)?;
            buf.fill(1);
            back.push_back(buf);
        }
        Ok(Sender {
            ring,
            socket,
            policy,
            depth,
            back,
        })
    }

    /// Sends this many buffers, and returns when all of them are back.
    pub(super) fn send(&mut self, count: u32) -> Result<()> {
        let mut queued = 0;
        let mut released = 0;
        let mut failed = None;
        while released < count {
            while queued < count && queued - released < self.depth {
                let Some(buf) = self.back.pop_front() else {
                    break;
                };
                self.ring.send(self.socket, buf, self.policy)?;
                queued += 1;
            }
            let back = &mut self.back;
            self.ring.poll(Wait::Forever, |event| match event {
                Event::Sent { result, .. } => failed = result.err().or(failed.take()),
                Event::Released { buf, .. } => {
                    released += 1;
                    back.push_back(buf);
                }
                _ => {}
            })?;
            if let Some(error) = failed {
                bail!("a send failed: {error}");
            }
        }
        Ok(())
    }

    /// Fails unless every byte so far went without a copy.
    pub(super) fn ensure_zero_copied(&self) -> Result<()> {
        let Totals {
            copied, unknown, ..
        } = self.ring.totals();
        ensure!(
            copied == 0 && unknown == 0,
            "the device does not take zero-copy sends: {copied} bytes were copied, {unknown} not told"
        );
        Ok(())
    }
}
