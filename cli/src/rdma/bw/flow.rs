//! The messages of a measurement.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use netprims_rdma::{Buf, Cq, ExposedMr, Mr, Qp, Queue, Rc, RemoteSlice, Rts, Wr};
use pingpong::Role;

use super::{Load, Moved, Operation};
use crate::interrupt::Interrupted;
use crate::rdma::peer::Peer;

/// How often to look at the clock's other uses: the other side's words, and the progress.
const LOOK: Duration = Duration::from_millis(50);

/// A connection on which messages are moved.
pub(super) struct Flow {
    load: Load,
    qp: Qp<Rc, Rts>,
    cq: Cq,
    there: RemoteSlice,
    /// What this side moves; none if it does not.
    outgoing: Option<Mr>,
    /// What the other side moves to or from, kept until it has ended.
    _memory: (Option<Mr>, Option<ExposedMr>),
    patience: Duration,
    count: Count,
}

/// How much this side has moved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) messages: u64,
    /// From the first message to the end of the last.
    pub(super) elapsed: Duration,
}

/// How far this side is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Moving,
    /// Nothing more is posted; what is under way comes to its end.
    Draining,
    /// The other side was told.
    Done,
}

impl Flow {
    pub(super) fn new(
        load: Load,
        qp: Qp<Rc, Rts>,
        cq: Cq,
        there: RemoteSlice,
        outgoing: Option<Mr>,
        memory: (Option<Mr>, Option<ExposedMr>),
        patience: Duration,
    ) -> Self {
        Flow {
            load,
            qp,
            cq,
            there,
            outgoing,
            _memory: memory,
            patience,
            count: Count::default(),
        }
    }

    /// Moves messages for as long as was wished, and serves the other side until it has ended as well.
    /// Returns what this side has moved, and what the other.
    ///
    /// When `stop` is set, a client ends early, and with it its server; a server gives up.
    pub(super) fn run(
        mut self,
        role: Role,
        peer: &mut Peer,
        stop: &AtomicBool,
        mut progress: impl FnMut(Duration, u64),
    ) -> Result<(Moved, Moved)> {
        let start = Instant::now();
        let (mut stage, mut looked, mut heard) = (Stage::Moving, start, start);
        let mut theirs = None;
        let memory = self.outgoing.clone();
        while let Some(buf) = memory.as_ref().and_then(Mr::take) {
            post(&mut self.qp, self.load.operation, self.there, buf)?;
        }
        while stage != Stage::Done || theirs.is_none() {
            let has_arrived = self.take(stage)?;
            let now = Instant::now();
            if self.qp.in_flight(Queue::Send) + self.qp.in_flight(Queue::Recv) == 0 {
                // The other side does without this one, or is done.
                thread::sleep(LOOK);
            }
            if has_arrived {
                heard = now;
            }
            let elapsed = now - start;
            let is_stopped = stop.load(Ordering::Relaxed);
            if is_stopped && role == Role::Server {
                return Err(Interrupted.into());
            }
            let has_left = role == Role::Server && theirs.is_some();
            let is_over = is_stopped || has_left || elapsed >= self.load.duration();
            if stage == Stage::Moving && is_over {
                stage = Stage::Draining;
            }
            if stage != Stage::Done && self.qp.in_flight(Queue::Send) == 0 {
                self.count.elapsed = elapsed;
                peer.say(&Moved::from(self.count))?;
                stage = Stage::Done;
            }
            if now - looked >= LOOK {
                looked = now;
                progress(elapsed, self.count.messages);
                // It closes the connection when both have said how much they moved, and not before.
                if stage != Stage::Done || theirs.is_none() {
                    theirs = peer.heard::<Moved>()?.or(theirs);
                }
                // The other side may move for as long, and then be as patient.
                let longest = match stage {
                    Stage::Done => self.load.duration().saturating_add(self.patience),
                    Stage::Moving | Stage::Draining => self.patience,
                };
                ensure!(
                    now - heard < longest,
                    "nothing has moved for {} s: the other side is gone, or packets are lost",
                    longest.as_secs()
                );
            }
        }
        let own = Moved::from(self.count);
        self.qp.close()?;
        Ok((own, theirs.unwrap_or_default()))
    }

    /// Takes what has completed, and posts the same again while this side still moves. Whether there
    /// was anything.
    fn take(&mut self, stage: Stage) -> Result<bool> {
        let mut has_arrived = false;
        for mut completion in self.cq.poll()? {
            has_arrived = true;
            while let Some(done) = self.qp.complete(&mut completion)? {
                done.check()?;
                let queue = done.queue;
                let Some(buf) = done.into_buf() else { continue };
                match queue {
                    Queue::Recv => self.qp.post_recv(buf, 0)?,
                    Queue::Send => {
                        self.count.messages += 1;
                        if stage == Stage::Moving {
                            post(&mut self.qp, self.load.operation, self.there, buf)?;
                        }
                    }
                }
            }
        }
        Ok(has_arrived)
    }
}

fn post(qp: &mut Qp<Rc, Rts>, operation: Operation, there: RemoteSlice, buf: Buf) -> Result<()> {
    let wr = match operation {
        Operation::Write => Wr::write(buf, there),
        Operation::Read => Wr::read(buf, there),
        Operation::Send => Wr::send(buf),
    };
    Ok(qp.post(wr, 0)?)
}
