use std::fmt;

/// How the times that accompany packets (`SCM_TXTIME`) are to be understood.
///
/// ```
/// use netprims::tuning::{Clock, Tuning, TxTime};
///
/// const TUNING: Tuning = Tuning::new().txtime(TxTime::new(Clock::Tai).report_errors(true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TxTime {
    clock: Clock,
    #[cfg_attr(feature = "serde", serde(default))]
    deadline: bool,
    #[cfg_attr(feature = "serde", serde(default))]
    report_errors: bool,
}

/// A clock of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Clock {
    /// Time of day, as it is set and slewed.
    #[doc(alias = "CLOCK_REALTIME")]
    Realtime,
    /// Since boot. What the queueing discipline `fq` uses.
    #[doc(alias = "CLOCK_MONOTONIC")]
    Monotonic,
    /// International atomic time, without leap seconds. What `etf` uses.
    #[doc(alias = "CLOCK_TAI")]
    Tai,
    /// A clock this crate does not know.
    #[cfg_attr(feature = "serde", serde(skip_deserializing))]
    Unknown(i32),
}

const DEADLINE: u32 = 1;
const REPORT_ERRORS: u32 = 2;

impl TxTime {
    /// Packets leave at their time, by this clock, and late ones vanish without a word.
    pub const fn new(clock: Clock) -> Self {
        Self {
            clock,
            deadline: false,
            report_errors: false,
        }
    }

    /// Whether the time is the latest, not the exact, moment of leaving. Default: no.
    #[doc(alias = "SOF_TXTIME_DEADLINE_MODE")]
    pub const fn deadline(mut self, on: bool) -> Self {
        self.deadline = on;
        self
    }

    /// Whether packets that were dropped for their time show in the socket's error queue. Default: no.
    #[doc(alias = "SOF_TXTIME_REPORT_ERRORS")]
    pub const fn report_errors(mut self, on: bool) -> Self {
        self.report_errors = on;
        self
    }

    /// The kernel's `struct sock_txtime`.
    pub(super) fn raw(self) -> [u8; 8] {
        let clock: i32 = match self.clock {
            Clock::Realtime => 0,
            Clock::Monotonic => 1,
            Clock::Tai => 11,
            Clock::Unknown(raw) => raw,
        };
        let deadline = if self.deadline { DEADLINE } else { 0 };
        let report_errors = if self.report_errors { REPORT_ERRORS } else { 0 };
        let [a, b, c, d] = clock.to_ne_bytes();
        let [e, f, g, h] = (deadline | report_errors).to_ne_bytes();
        [a, b, c, d, e, f, g, h]
    }

    pub(super) fn of_raw([a, b, c, d, e, f, g, h]: [u8; 8]) -> Self {
        let flags = u32::from_ne_bytes([e, f, g, h]);
        Self {
            clock: match i32::from_ne_bytes([a, b, c, d]) {
                0 => Clock::Realtime,
                1 => Clock::Monotonic,
                11 => Clock::Tai,
                raw => Clock::Unknown(raw),
            },
            deadline: flags & DEADLINE != 0,
            report_errors: flags & REPORT_ERRORS != 0,
        }
    }
}

impl fmt::Display for TxTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.clock {
            Clock::Realtime => f.write_str("realtime")?,
            Clock::Monotonic => f.write_str("monotonic")?,
            Clock::Tai => f.write_str("tai")?,
            Clock::Unknown(raw) => write!(f, "clock {raw}")?,
        }
        if self.deadline {
            f.write_str(", deadline")?;
        }
        if self.report_errors {
            f.write_str(", errors reported")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    fn survives_the_kernels_form(
        #[values(Clock::Realtime, Clock::Monotonic, Clock::Tai, Clock::Unknown(-6))] clock: Clock,
        #[values(false, true)] deadline: bool,
        #[values(false, true)] errors: bool,
    ) {
        let time = TxTime::new(clock).deadline(deadline).report_errors(errors);
        assert_eq!(TxTime::of_raw(time.raw()), time);
    }
}
