use std::fmt;
use std::io;
use std::time::Duration;

use super::spec::wrong_kind;
use super::{Congestion, Dscp, Interface, PathMtu, PortRange, Timestamping, TxTime, Ulp};

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
    /// A count, or a number that only names something: packets, probes, a CPU, a mark, a priority.
    Number(u32),
    /// Bytes a second.
    Rate(u64),
    /// A service class.
    Dscp(Dscp),
    /// A network interface.
    Interface(Interface),
    /// Local ports.
    Ports(PortRange),
    /// How the path's MTU is found.
    PathMtu(PathMtu),
    /// By which clock packets leave.
    TxTime(TxTime),
    /// Which packets are stamped, and how.
    Timestamping(Timestamping),
    /// An upper layer protocol.
    Ulp(Ulp),
}

/// What it is, for the table's functions; each option has values of one kind only.
macro_rules! kinds {
    ($($name:ident: $variant:ident -> $kind:ty),* $(,)?) => {
        impl Value {
            $(
                pub(super) fn $name(self) -> io::Result<$kind> {
                    match self {
                        Self::$variant(value) => Ok(value),
                        _ => Err(wrong_kind()),
                    }
                }
            )*
        }
    };
}

kinds! {
    bytes: Bytes -> u32,
    flag: Flag -> bool,
    time: Time -> Duration,
    congestion: Congestion -> Congestion,
    number: Number -> u32,
    rate: Rate -> u64,
    dscp: Dscp -> Dscp,
    interface: Interface -> Interface,
    ports: Ports -> PortRange,
    path_mtu: PathMtu -> PathMtu,
    tx_time: TxTime -> TxTime,
    timestamping: Timestamping -> Timestamping,
    ulp: Ulp -> Ulp,
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
            Self::Number(number) => number.fmt(f),
            Self::Rate(rate) => write!(f, "{rate} bytes/s"),
            Self::Dscp(dscp) => dscp.fmt(f),
            Self::Interface(name) => name.fmt(f),
            Self::Ports(range) => range.fmt(f),
            Self::PathMtu(mode) => mode.fmt(f),
            Self::TxTime(time) => time.fmt(f),
            Self::Timestamping(what) => what.fmt(f),
            Self::Ulp(protocol) => protocol.fmt(f),
        }
    }
}

/// A `Duration` in whole units of a kind, which is how configuration files and the kernel write it.
#[cfg(feature = "serde")]
macro_rules! whole {
    ($unit:ident, $to:expr, $from:expr) => {
        pub(super) mod $unit {
            use std::time::Duration;

            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            pub(crate) fn serialize<S: Serializer>(
                time: &Option<Duration>,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                time.map(|time| u64::try_from($to(&time)).unwrap_or(u64::MAX))
                    .serialize(serializer)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Option<Duration>, D::Error> {
                Ok(Option::<u64>::deserialize(deserializer)?.map($from))
            }
        }
    };
}

#[cfg(feature = "serde")]
whole!(microseconds, Duration::as_micros, Duration::from_micros);
#[cfg(feature = "serde")]
whole!(milliseconds, Duration::as_millis, Duration::from_millis);
#[cfg(feature = "serde")]
whole!(
    seconds,
    |time: &Duration| u128::from(time.as_secs()),
    Duration::from_secs
);

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
