//! Completions, awaited with patience.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use netprims_rdma::{Completions, Cq};

/// How long to sleep at most before looking whether anybody wants the game to end.
const NAP: Duration = Duration::from_millis(100);

/// A completion queue that is polled or waited for, and a peer that must not be silent for too long.
#[derive(Debug)]
pub(crate) struct Arrivals {
    cq: Cq,
    events: bool,
    silence: Silence,
}

impl Arrivals {
    pub(crate) fn new(cq: Cq, events: bool, patience: Duration) -> Self {
        Arrivals {
            cq,
            events,
            silence: Silence::new(patience, events),
        }
    }

    /// What has completed; possibly nothing.
    pub(crate) fn next(&mut self) -> Result<Completions<'_>> {
        let completions = match self.events {
            true => self.cq.wait(NAP)?,
            false => self.cq.poll()?,
        };
        self.silence.note(completions.len() > 0)?;
        Ok(completions)
    }
}

/// Notices a peer that is gone without a word, or a message that was lost, at the price of a clock
/// reading now and then.
#[derive(Debug)]
struct Silence {
    patience: Duration,
    /// How many times nothing must come between two looks at the clock.
    every: u32,
    times: u32,
    since: Option<Instant>,
}

impl Silence {
    fn new(patience: Duration, events: bool) -> Self {
        Silence {
            patience,
            // Some milliseconds of polls, or a nap.
            every: if events { 1 } else { 1 << 14 },
            times: 0,
            since: None,
        }
    }

    fn note(&mut self, has_arrived: bool) -> Result<()> {
        if has_arrived {
            (self.times, self.since) = (0, None);
            return Ok(());
        }
        self.times += 1;
        if self.times < self.every {
            return Ok(());
        }
        self.times = 0;
        let since = *self.since.get_or_insert_with(Instant::now);
        ensure!(
            since.elapsed() < self.patience,
            "nothing heard from the peer for {:.1} s: it is gone, a message was lost, or it was \
             told another size or number of messages",
            self.patience.as_secs_f64()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_says_nothing_for_too_long_is_noticed_and_one_that_speaks_is_not() {
        let patience = Duration::from_millis(30);
        let mut silence = Silence::new(patience, true);
        let start = Instant::now();
        while start.elapsed() < 3 * patience {
            silence.note(true).unwrap();
            silence.note(false).unwrap();
        }
        let start = Instant::now();
        let said = loop {
            if let Err(error) = silence.note(false) {
                break error.to_string();
            }
            assert!(start.elapsed() < Duration::from_secs(30));
        };
        assert!(
            start.elapsed() >= patience && said.contains("nothing heard"),
            "{said}"
        );
    }
}
