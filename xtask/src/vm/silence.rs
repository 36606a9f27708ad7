use std::time::Duration;

/// How long a guest may go without a sign of life, of which it gives one a second. Emulated, on a machine that has much
/// else to do, it may miss many.
const LONGEST: Duration = Duration::from_secs(60);

/// How long nothing has been heard, of what may be heard. What was waited for counts and not what a clock shows: while
/// this program is stopped, so may be the guest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    lasted: Duration,
    allowed: Duration,
    /// Before the first word nothing can be missed.
    has_spoken: bool,
}

impl Silence {
    pub(super) fn before_the_first_word() -> Silence {
        Silence {
            lasted: Duration::ZERO,
            allowed: LONGEST,
            has_spoken: false,
        }
    }

    pub(super) fn allow(&mut self, allowed: Duration) {
        self.allowed = allowed;
    }

    pub(super) fn allowed(&self) -> Duration {
        self.allowed
    }

    /// Something was heard.
    pub(super) fn end(&mut self) {
        self.lasted = Duration::ZERO;
        self.has_spoken = true;
    }

    /// Whether it has become too long.
    pub(super) fn goes_on(&mut self, waited: Duration) -> bool {
        self.lasted += waited;
        self.has_spoken && self.lasted >= self.allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_the_first_word_and_ends_with_each() {
        let second = Duration::from_secs(1);
        let mut silence = Silence::before_the_first_word();
        silence.allow(3 * second);
        assert!(!silence.goes_on(1000 * second));
        silence.end();
        for _ in 0..3 {
            assert!(!silence.goes_on(second));
            assert!(!silence.goes_on(second));
            silence.end();
        }
        assert!(!silence.goes_on(2 * second));
        assert!(silence.goes_on(second));
    }
}
