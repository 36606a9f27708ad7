use std::fmt;
use std::marker::PhantomData;

use super::requests::Requests;
use super::{Any, Kind, Tcp, Udp, Unix};
use crate::{Error, Result};

/// The socket options a service wants. A plain value: `const`-buildable, comparable, and with the feature `serde`
/// part of a configuration file.
///
/// An option that was not asked for is not touched. Each option has a setter, documented with unit, range, default,
/// privilege, the moment it must be set, and the first kernel that has it; any means any that Rust runs on (Linux 3.2).
///
/// ```
/// use std::time::Duration;
/// use netprims::tuning::{Tcp, Tuning};
///
/// const LOW_LATENCY: Tuning<Tcp> = Tuning::tcp().nodelay(true).busy_poll(Duration::from_micros(50));
/// ```
///
/// # The kind of socket
///
/// is part of the type. [`Tuning::tcp`], [`Tuning::udp`] and [`Tuning::unix`] begin tunings that have no setter for
/// what such sockets do not have, or what the kernel takes from them and lets have no effect:
///
/// ```compile_fail
/// use netprims::tuning::Tuning;
///
/// let tuning = Tuning::udp().nodelay(true);
/// ```
///
/// On a socket of another of these kinds, such a tuning is an error. [`Tuning::new`] begins one for any kind; it has every
/// setter, and the report says what a socket does not have. Every tuning converts into such a one; the way back is `TryFrom`, whose error names the first option that is in the way:
///
/// ```
/// use netprims::tuning::{Tcp, Tuning, Udp};
///
/// let any = Tuning::new().nodelay(true);
/// assert!(Tuning::<Tcp>::try_from(any).is_ok());
/// let error = Tuning::<Udp>::try_from(any).unwrap_err();
/// assert_eq!(error.to_string(), "TCP_NODELAY = on: it has no effect on UDP sockets");
/// ```
///
/// # In a configuration
///
/// With `serde`, fields are named after the setters, and times after their unit too: `busy_poll_us`, `user_timeout_ms`,
/// `keepalive_idle_s`, `keepalive_interval_s`, `linger_s`, `defer_accept_s`. Unknown fields are refused, so that a
/// typing error in a configuration does not go unnoticed; so are options of another kind of socket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tuning<K: Kind = Any> {
    pub(super) requests: Requests,
    kind: PhantomData<K>,
}

impl Tuning {
    /// Asks for nothing, of any kind of socket.
    pub const fn new() -> Self {
        Self::of(Requests::NONE)
    }
}

impl Tuning<Tcp> {
    /// Asks for nothing, of a TCP socket.
    pub const fn tcp() -> Self {
        Self::of(Requests::NONE)
    }
}

impl Tuning<Udp> {
    /// Asks for nothing, of a UDP socket.
    pub const fn udp() -> Self {
        Self::of(Requests::NONE)
    }
}

impl Tuning<Unix> {
    /// Asks for nothing, of a Unix socket.
    pub const fn unix() -> Self {
        Self::of(Requests::NONE)
    }
}

impl<K: Kind> Tuning<K> {
    /// Whether it is an error of [`Tuning::apply`] that an option is not in effect: that requested and effective differ, or
    /// that the socket has no use for the option, also where the kernel takes it
    /// ([`Warning::OtherSockets`](super::Warning::OtherSockets)). Default: no.
    ///
    /// No other warning is an error.
    pub const fn strict(mut self, strict: bool) -> Self {
        self.requests.strict = strict;
        self
    }

    /// Whether it is [strict](Self::strict).
    pub const fn is_strict(&self) -> bool {
        self.requests.strict
    }

    const fn of(requests: Requests) -> Self {
        let kind = PhantomData;
        Self { requests, kind }
    }

    fn fitting(requests: Requests) -> Result<Self> {
        requests.fit(K::TRANSPORT)?;
        Ok(Self::of(requests))
    }
}

impl<K: Kind> Default for Tuning<K> {
    fn default() -> Self {
        Self::of(Requests::NONE)
    }
}

impl<K: Kind> fmt::Debug for Tuning<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.requests.fmt(f)
    }
}

macro_rules! conversions {
    ($($kind:ty),*) => {
        $(
            impl From<Tuning<$kind>> for Tuning {
                fn from(tuning: Tuning<$kind>) -> Self {
                    Self::of(tuning.requests)
                }
            }

            impl TryFrom<Tuning> for Tuning<$kind> {
                type Error = Error;

                /// Fails with [`Error::InvalidValue`] if an option was asked for that has no effect on such sockets.
                fn try_from(tuning: Tuning) -> Result<Self> {
                    Self::fitting(tuning.requests)
                }
            }
        )*
    };
}

conversions!(Tcp, Udp, Unix);

#[cfg(feature = "serde")]
impl<K: Kind> serde::Serialize for Tuning<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.requests.serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de, K: Kind> serde::Deserialize<'de> for Tuning<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::fitting(Requests::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
