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
        Ok(match self.events {
            true => self.cq.wait(NAP)?,
            false => self.cq.poll()?,
        })
    }

    /// To be told, after each look for completions, how many messages have gone either way: an error
    /// when there have been no more for too long. What strangers send does not count.
    pub(crate) fn note(&mut self, messages: u64) -> Result<()> {
        self.silence.note(messages, Instant::now)
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
    messages: u64,
}

impl Silence {
    fn new(patience: Duration, events: bool) -> Self {
        Silence {
            patience,
            // Some milliseconds of polls, or a nap.
            every: if events { 1 } else { 1 << 14 },
            times: 0,
            since: None,
            messages: 0,
        }
    }

    fn note(&mut self, messages: u64, clock: impl FnOnce() -> Instant) -> Result<()> {
        if messages != self.messages {
            (self.messages, self.times, self.since) = (messages, 0, None);
            return Ok(());
        }
        self.times += 1;
        if self.times < self.every {
            return Ok(());
        }
        self.times = 0;
        let now = clock();
        let since = *self.since.get_or_insert(now);
        ensure!(
            now.duration_since(since) < self.patience,
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
        let mut silence = Silence::new(Duration::from_secs(10), true);
        let start = Instant::now();
        let at = |seconds| move || start + Duration::from_secs(seconds);
        for seconds in (0..100).step_by(9) {
            silence.note(seconds, at(seconds)).unwrap();
            silence.note(seconds, at(seconds)).unwrap();
            silence.note(seconds, at(seconds + 9)).unwrap();
        }
        silence.note(7, at(199)).unwrap();
        silence.note(7, at(200)).unwrap();
        silence.note(7, at(209)).unwrap();
        let error = silence.note(7, at(210)).unwrap_err().to_string();
        assert!(
            error.contains("nothing heard from the peer for 10.0 s"),
            "{error}"
        );
    }

    #[test]
    fn one_who_polls_looks_at_the_clock_now_and_then() {
        let mut silence = Silence::new(Duration::from_secs(10), false);
        let start = Instant::now();
        let mut looks = 0;
        for _ in 0..1 << 16 {
            let clock = || {
                looks += 1;
                start
            };
            silence.note(0, clock).unwrap();
        }
        assert_eq!(looks, 4);
    }
}
