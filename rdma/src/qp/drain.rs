//! Ending a queue pair with all its buffers back.

use std::thread;
use std::time::{Duration, Instant};

use super::{Done, Qp, QpType, Queue, Returned, Stopped};
use crate::cq::{Completion, Cq};
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::sys::Health;

/// How long to leave the processor to others when a poll found nothing.
const PAUSE: Duration = Duration::from_micros(200);

/// What became of the work of a queue pair that was drained.
#[derive(Debug)]
#[must_use = "it holds buffers"]
#[non_exhaustive]
pub struct Drained {
    /// What completed, in the order of its completions: most of it flushed.
    pub done: Vec<Done>,
    /// What did not: sends before receives, each in the order they were posted. Nobody knows whether it
    /// was done; the device is done with it.
    pub returned: Vec<Returned>,
    /// What went wrong, if anything did: [`Error::CqFailed`](crate::Error::CqFailed) and
    /// [`Error::CompletionMissing`](crate::Error::CompletionMissing) cut the waiting short; after
    /// [`Error::QpPoisoned`](crate::Error::QpPoisoned), and [`Error::Verb`](crate::Error::Verb) of `ibv_destroy_qp`,
    /// what had not completed stays with the queue pair for ever. Of several the first.
    pub outcome: Result<()>,
}

impl<T: QpType> Qp<T, Stopped> {
    /// Waits until everything in flight has completed, but no longer than `limit`, then destroys the
    /// queue pair, after which the rest is handed back too.
    ///
    /// `cqs` are its completion queues. Completions of other queue pairs on them are given to `others`,
    /// which hands them on, since they come only once.
    ///
    /// There may be a rest: nobody promises that a receive completes which was posted after the queue
    /// pair had failed by itself and before a completion said so. (Soft-RoCE completes it once the queue
    /// pair is stopped.) So choose how long to wait for what may not come; 0 takes what is there.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use netprims_rdma::{Cq, Error, Qp, Rc, Rts};
    /// # fn f(cq: &mut Cq, qp: Qp<Rc, Rts>) -> Result<(), Error> {
    /// let drained = qp.stop()?.drain(&mut [cq], Duration::from_secs(1), |_| ());
    /// drained.outcome?;
    /// println!("{} done, {} not", drained.done.len(), drained.returned.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(
        mut self,
        cqs: &mut [&mut Cq],
        limit: Duration,
        mut others: impl FnMut(Completion<'_>),
    ) -> Drained {
        let start = Instant::now();
        let mut done = Vec::new();
        let qpn = self.handle.number();
        let mut outcome = match self.handle.health() {
            Health::Poisoned => Err(Error::QpPoisoned { qpn }),
            Health::Good | Health::Failed => Ok(()),
        };
        while outcome.is_ok() && self.is_busy() {
            let mut found = Found::default();
            for cq in &mut *cqs {
                let taken = self.take_from(cq, &mut done, &mut others, &mut found);
                outcome = outcome.and(taken);
            }
            // Its own are no more than were in flight; there may be others without end.
            if found.own {
                continue;
            }
            let Some(left) = limit
                .checked_sub(start.elapsed())
                .filter(|left| !left.is_zero())
            else {
                break;
            };
            if !found.others {
                thread::sleep(left.min(PAUSE));
            }
        }
        let object = self.object();
        let returned = match self.handle.close_returning() {
            Ok(returned) => returned,
            Err(errno) => {
                outcome = outcome.and(Err(verb_error("ibv_destroy_qp", object, errno)));
                Vec::new()
            }
        };
        let returned =
            returned
                .into_iter()
                .map(|(queue, bufs, token)| Returned { bufs, token, queue });
        Drained {
            done,
            returned: returned.collect(),
            outcome,
        }
    }

    fn is_busy(&self) -> bool {
        self.in_flight(Queue::Send) + self.in_flight(Queue::Recv) > 0
    }

    /// Takes what one poll finds, and notes whose it was.
    fn take_from(
        &mut self,
        cq: &mut Cq,
        done: &mut Vec<Done>,
        others: &mut impl FnMut(Completion<'_>),
        found: &mut Found,
    ) -> Result<()> {
        let mut result = Ok(());
        for mut completion in cq.poll()? {
            if !self.owns(&completion) {
                found.others = true;
                others(completion);
                continue;
            }
            found.own = true;
            // What comes after an error may be of others.
            while let Some(one) = self.complete(&mut completion).unwrap_or_else(|error| {
                result = Err(error);
                None
            }) {
                done.push(one);
            }
        }
        result
    }
}

/// Whose completions polls have found.
#[derive(Default)]
struct Found {
    own: bool,
    others: bool,
}
