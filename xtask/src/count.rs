use lab::Verdict;

/// How much of which test ended how.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// Guests that stalled as a whole and were replaced.
    pub(crate) retried: usize,
}

impl Count {
    /// Adds up libtest's closing lines.
    pub(crate) fn of_libtest(said: &str) -> Count {
        let mut count = Count::default();
        for line in said
            .lines()
            .filter_map(|line| line.strip_prefix("test result: "))
        {
            for part in line.split([';', '.']) {
                let mut words = part.split_whitespace();
                let number = words.next().and_then(|word| word.parse::<usize>().ok());
                match (number, words.next()) {
                    (Some(n), Some("passed")) => count.passed += n,
                    (Some(n), Some("failed")) => count.failed += n,
                    (Some(n), Some("ignored")) => count.skipped += n,
                    _ => {}
                }
            }
        }
        count
    }

    /// Adds one test.
    pub(crate) fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed { .. } => self.failed += 1,
            Verdict::Skipped { .. } => self.skipped += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_what_libtest_says() {
        let said = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
                    noise\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let count = Count::of_libtest(said);
        assert_eq!((count.passed, count.failed, count.skipped), (4, 2, 1));
    }
}
