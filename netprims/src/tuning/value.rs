use std::fmt;
use std::time::Duration;

use super::Congestion;

/// The value of an option, requested or in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Value {
    /// A size in bytes.
    Bytes(u32),
    /// On or off.
    Flag(bool),
    /// A time.
    Time(Duration),
    /// A congestion control algorithm.
    Congestion(Congestion),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Flag(true) => f.write_str("on"),
            Self::Flag(false) => f.write_str("off"),
            // Not cut to the microseconds the kernel counts: that would show another value than the one refused.
            Self::Time(time) if time.subsec_nanos() % 1000 != 0 => write!(f, "{time:?}"),
            Self::Time(time) => write!(f, "{} µs", time.as_micros()),
            Self::Congestion(name) => name.fmt(f),
        }
    }
}

/// A `Duration` as whole microseconds, which is how configuration files and the kernel write it.
#[cfg(feature = "serde")]
pub(super) mod microseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
            .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Duration::ZERO, "0 µs")]
    #[case(Duration::from_micros(50), "50 µs")]
    #[case(Duration::from_secs(2), "2000000 µs")]
    #[case(Duration::from_nanos(1), "1ns")]
    #[case(Duration::from_nanos(1500), "1.5µs")]
    fn a_time_is_shown_whole(#[case] time: Duration, #[case] text: &str) {
        assert_eq!(Value::Time(time).to_string(), text);
    }
}
