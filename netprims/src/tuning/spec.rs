use std::io;

use socket2::SockRef;

use super::difference::Explanation;
use super::environment::Environment;
use super::{Cause, Moment, Tuning, Value, Warning};

/// One socket option: all that [`Tuning::apply`] needs to know about it.
pub(super) struct Spec {
    /// The C name.
    pub(super) name: &'static str,
    /// The last moment at which setting it has an effect.
    pub(super) latest: Moment,
    /// What the tuning asks for.
    pub(super) requested: fn(&Tuning) -> Option<Value>,
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

/// What happened when an option was set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) requested: Value,
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
        // A process that has the capability was refused for something else.
        Some(libc::EPERM) if environment.has_net_admin() == Some(false) => {
            Some(Cause::Capability("CAP_NET_ADMIN").lifted_by(
                "grant it, for example by AmbientCapabilities=CAP_NET_ADMIN in the service's unit",
            ))
        }
        Some(errno) => Some(Cause::Errno(errno).into()),
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

/// The answer to a [`Value`] of a kind the option never asks for; the table pairs each option with its own kind.
pub(super) fn wrong_kind() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}

#[cfg(test)]
mod tests {
    use super::super::Unseen;
    use super::*;
    use rstest::rstest;

    struct Privilege(Option<bool>);

    impl Environment for Privilege {
        fn sysctl(&self, _: &'static str) -> Result<String, Unseen> {
            Err(Unseen::Absent)
        }

        fn has_net_admin(&self) -> Option<bool> {
            self.0
        }
    }

    const EPERM: Cause = Cause::Errno(libc::EPERM);

    #[rstest]
    #[case::without(Some(false), Cause::Capability("CAP_NET_ADMIN"))]
    #[case::with(Some(true), EPERM)]
    #[case::not_seen(None, EPERM)]
    fn a_capability_is_blamed_where_it_is_missing(
        #[case] privilege: Option<bool>,
        #[case] want: Cause,
    ) {
        let attempt = Attempt {
            requested: Value::Flag(true),
            refused: Some(libc::EPERM),
            effective: Some(Value::Flag(false)),
        };
        let explanation = taken_or_refused(&attempt, &Privilege(privilege)).unwrap();
        assert_eq!(explanation.cause, want);
    }
}
