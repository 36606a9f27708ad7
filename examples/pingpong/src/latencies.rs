//! How long things took.

use std::time::Duration;

/// Durations, counted in steps that are each less than 1 % of what they stand for.
#[derive(Clone)]
pub struct Latencies {
    /// How many there were of each step.
    steps: Vec<u64>,
    count: u64,
    least: Duration,
    most: Duration,
    sum: Duration,
}

/// As many steps as there are between a power of two and the next.
const FINE: u64 = 128;

impl Latencies {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        let steps = step(u64::MAX).saturating_add(1);
        Latencies {
            steps: vec![0; steps],
            count: 0,
            least: Duration::MAX,
            most: Duration::ZERO,
            sum: Duration::ZERO,
        }
    }

    /// Counts one. It allocates nothing.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.steps.get_mut(step(nanos)) {
            *count += 1;
        }
        self.count += 1;
        self.least = self.least.min(duration);
        self.most = self.most.max(duration);
        self.sum = self.sum.saturating_add(duration);
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The shortest; `None` if there were none.
    #[must_use]
    pub fn least(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.least)
    }

    /// The longest; `None` if there were none.
    #[must_use]
    pub fn most(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.most)
    }

    /// The mean; `None` if there were none.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let nanos = self.sum.as_nanos().checked_div(u128::from(self.count))?;
        Some(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }

    /// The duration that so many of a thousand did not exceed, but by a step; `None` if there were
    /// none.
    #[must_use]
    pub fn per_mille(&self, share: u32) -> Option<Duration> {
        let wanted = u128::from(self.count) * u128::from(share.min(1000));
        let wanted = u64::try_from(wanted.div_ceil(1000))
            .unwrap_or(u64::MAX)
            .max(1);
        let mut seen = 0;
        for (at, count) in (0..).zip(&self.steps) {
            seen += count;
            if seen >= wanted {
                let top = Duration::from_nanos(last(at));
                return Some(top.clamp(self.least, self.most));
            }
        }
        None
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies::new()
    }
}

impl std::fmt::Debug for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latencies")
            .field("count", &self.count)
            .field("median", &self.per_mille(500))
            .finish_non_exhaustive()
    }
}

/// The step of a number of nanoseconds: the number itself below `FINE`, then `FINE` steps for each
/// doubling.
fn step(nanos: u64) -> usize {
    let doublings = (nanos / FINE)
        .checked_ilog2()
        .map_or(0, |log| u64::from(log) + 1);
    let within = match doublings {
        0 => nanos,
        _ => (nanos >> (doublings - 1)) % FINE,
    };
    usize::try_from(doublings * FINE + within).unwrap_or(usize::MAX)
}

/// The largest number of a step.
fn last(step: u64) -> u64 {
    let (doublings, within) = (step / FINE, step % FINE);
    match doublings.checked_sub(1) {
        None => within,
        Some(shift) => {
            let next = u128::from(FINE + within + 1) << shift;
            u64::try_from(next - 1).unwrap_or(u64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_step_holds_its_numbers_and_is_narrow(nanos: u64) {
            let at = u64::try_from(step(nanos)).unwrap();
            let top = last(at);
            let below = at.checked_sub(1).map(last);
            prop_assert!(top >= nanos && below.is_none_or(|below| below < nanos));
            prop_assert!(top - nanos <= nanos / 100);
        }

        #[test]
        fn percentiles_are_those_of_the_sorted_list(
            mut nanos in prop::collection::vec(0u64..10_000_000, 1..300),
            share in 0u32..=1000,
        ) {
            let mut latencies = Latencies::new();
            for &one in &nanos {
                latencies.record(Duration::from_nanos(one));
            }
            nanos.sort_unstable();
            let rank = (nanos.len() * share as usize).div_ceil(1000).max(1);
            let wanted = nanos[rank - 1];
            let got = u64::try_from(latencies.per_mille(share).unwrap().as_nanos()).unwrap();
            prop_assert!((wanted..=wanted + wanted / 100).contains(&got), "{wanted} {got}");
            prop_assert_eq!(latencies.least(), nanos.first().copied().map(Duration::from_nanos));
            prop_assert_eq!(latencies.most(), nanos.last().copied().map(Duration::from_nanos));
        }
    }

    #[test]
    fn of_nothing_nothing_is_told() {
        let none = Latencies::new();
        assert_eq!(
            (none.per_mille(500), none.mean(), none.least()),
            (None, None, None)
        );
    }
}
