use std::io;
use std::ops::RangeInclusive;

use socket2::SockRef;

use super::difference::Explanation;
use super::environment::Environment;
use super::requests::Requests;
use super::{Cause, Moment, Value, Warning};
use crate::Error;
use crate::caller::Capability;

pub(super) use super::sockets::Sockets;

/// One socket option: all that [`Tuning::apply`](super::Tuning::apply) needs to know about it.
pub(super) struct Spec {
    /// The C name.
    pub(super) name: &'static str,
    /// Where it has an effect.
    pub(super) sockets: Sockets,
    /// The first moment at which the kernel takes it.
    pub(super) earliest: Moment,
    /// The last moment at which setting it has an effect.
    pub(super) latest: Moment,
    /// What the kernel asks for before it takes it, or takes more of it.
    pub(super) privilege: Privilege,
    /// What the tuning asks for.
    pub(super) requested: fn(&Requests) -> Option<Value>,
    /// Why the value cannot be, where the kernel is not needed to say so.
    pub(super) validate: fn(Value) -> Result<(), &'static str>,
    /// Sets it.
    pub(super) set: fn(&SockRef<'_>, Value) -> io::Result<()>,
    /// Reads it back.
    pub(super) read: fn(&SockRef<'_>) -> io::Result<Value>,
    /// Why what is in effect is not what was requested; `None` if it is. Pure: it looks only at its arguments.
    pub(super) explain: fn(&Attempt, &dyn Environment) -> Option<Explanation>,
    /// What the granted setting does that the user may not expect.
    pub(super) warn: fn(&Granted<'_>, &dyn Environment) -> Vec<Warning>,
}

impl Spec {
    /// The error that refuses a value of the option before the kernel is asked.
    pub(super) fn invalid(&self, value: Value, reason: &'static str) -> Error {
        Error::InvalidValue {
            option: self.name,
            value: value.to_string(),
            reason,
        }
    }
}

/// The capability an option, or some of its values, needs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Privilege {
    None,
    /// CAP_NET_ADMIN in the first user namespace (`capable` in the kernel).
    System,
    /// One of these in the user namespace that owns the socket's network namespace (`ns_capable`).
    Network {
        any_of: &'static [Capability],
        /// For people.
        names: &'static str,
    },
}

impl Privilege {
    pub(super) const NET_ADMIN: Self = Self::Network {
        any_of: &[Capability::NetAdmin],
        names: "CAP_NET_ADMIN",
    };
    pub(super) const NET_RAW: Self = Self::Network {
        any_of: &[Capability::NetRaw],
        names: "CAP_NET_RAW",
    };
    pub(super) const NET_RAW_OR_ADMIN: Self = Self::Network {
        any_of: &[Capability::NetRaw, Capability::NetAdmin],
        names: "CAP_NET_RAW or CAP_NET_ADMIN",
    };
}

/// What happened when an option was set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) requested: Value,
    pub(super) privilege: Privilege,
    /// The kernel's errno, if it refused.
    pub(super) refused: Option<i32>,
    /// What reading it back gave; `None` if the kernel has no way to.
    pub(super) effective: Option<Value>,
}

/// An option after it was set, for the warnings.
pub(super) struct Granted<'a> {
    pub(super) effective: Option<Value>,
    pub(super) moment: Moment,
    pub(super) socket: &'a SockRef<'a>,
}

/// For options where every value of the type can be asked for.
pub(super) fn any_value(_: Value) -> Result<(), &'static str> {
    Ok(())
}

/// The kernel keeps most numbers in an `int`.
pub(super) const MOST: u32 = 0x7fff_ffff;

/// For options whose number or size has bounds.
pub(super) fn within(
    value: Value,
    bounds: RangeInclusive<u32>,
    reason: &'static str,
) -> Result<(), &'static str> {
    match value {
        Value::Number(number) | Value::Bytes(number) if !bounds.contains(&number) => Err(reason),
        _ => Ok(()),
    }
}

/// For options that hide nothing.
pub(super) fn no_warning(_: &Granted<'_>, _: &dyn Environment) -> Vec<Warning> {
    Vec::new()
}

/// For options that the kernel takes as they are or refuses with an errno.
pub(super) fn taken_or_refused(
    attempt: &Attempt,
    environment: &dyn Environment,
) -> Option<Explanation> {
    match attempt.refused {
        Some(errno) => Some(refusal(errno, attempt, environment)),
        None if attempt
            .effective
            .is_none_or(|effective| effective == attempt.requested) =>
        {
            None
        }
        None => {
            Some(Cause::KernelRule("the kernel keeps another value and does not say why").into())
        }
    }
}

/// What an errno means where the option has no other meaning for it.
pub(super) fn refusal(errno: i32, attempt: &Attempt, environment: &dyn Environment) -> Explanation {
    match errno {
        libc::ENOPROTOOPT | libc::EOPNOTSUPP => Cause::NotSupported.into(),
        libc::EPERM => attempt
            .privilege
            .missing(environment)
            .unwrap_or_else(|| Cause::Errno(errno).into()),
        errno => Cause::Errno(errno).into(),
    }
}

impl Privilege {
    /// The missing capability, if that is what is missing: a process that has it was refused for something else.
    fn missing(self, environment: &dyn Environment) -> Option<Explanation> {
        match self {
            Self::System if environment.has(Capability::NetAdmin) == Some(false) => {
                Some(Cause::Capability("CAP_NET_ADMIN").lifted_by(grant("CAP_NET_ADMIN")))
            }
            Self::Network { any_of, names } => {
                let none = |one: &Capability| environment.holds(*one) == Some(false);
                // Any of them is enough, and the last of the list is the one that every kernel takes.
                let name = names.rsplit(' ').next().unwrap_or(names);
                any_of
                    .iter()
                    .all(none)
                    .then(|| Cause::NetworkCapability(names).lifted_by(grant(name)))
            }
            Self::None | Self::System => None,
        }
    }
}

fn grant(name: &str) -> String {
    format!("grant it, for example by AmbientCapabilities={name} in the service's unit")
}

/// The answer to a [`Value`] of a kind the option never asks for; the table pairs each option with its own kind.
pub(super) fn wrong_kind() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}

#[cfg(test)]
mod tests {
    use super::super::Unseen;
    use super::*;
    use rstest::rstest;

    struct Seen(Option<bool>, Option<bool>);

    impl Environment for Seen {
        fn sysctl(&self, _: &'static str) -> Result<String, Unseen> {
            Err(Unseen::Absent)
        }

        fn has(&self, _: Capability) -> Option<bool> {
            self.0
        }

        fn holds(&self, _: Capability) -> Option<bool> {
            self.1
        }
    }

    const EPERM: Cause = Cause::Errno(libc::EPERM);
    const SYSTEM: Cause = Cause::Capability("CAP_NET_ADMIN");
    const NETWORK: Cause = Cause::NetworkCapability("CAP_NET_RAW or CAP_NET_ADMIN");

    #[rstest]
    #[case::without(Privilege::System, Seen(Some(false), Some(true)), SYSTEM)]
    #[case::with(Privilege::System, Seen(Some(true), Some(true)), EPERM)]
    #[case::not_seen(Privilege::System, Seen(None, None), EPERM)]
    #[case::no_capability_helps(Privilege::None, Seen(Some(false), Some(false)), EPERM)]
    #[case::in_no_namespace(Privilege::NET_RAW_OR_ADMIN, Seen(Some(false), Some(false)), NETWORK)]
    #[case::in_its_own(Privilege::NET_RAW_OR_ADMIN, Seen(Some(false), Some(true)), EPERM)]
    #[case::own_not_seen(Privilege::NET_RAW_OR_ADMIN, Seen(None, None), EPERM)]
    fn a_capability_is_blamed_where_it_is_missing(
        #[case] privilege: Privilege,
        #[case] seen: Seen,
        #[case] want: Cause,
    ) {
        let attempt = Attempt {
            requested: Value::Flag(true),
            privilege,
            refused: Some(libc::EPERM),
            effective: Some(Value::Flag(false)),
        };
        let explanation = taken_or_refused(&attempt, &seen).unwrap();
        assert_eq!(explanation.cause, want);
    }
}
