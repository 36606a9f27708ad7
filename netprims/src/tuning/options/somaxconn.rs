//! The sysctl that cuts how many connections may wait.

use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{Attempt, taken_or_refused};
use super::super::{Cause, Limit, Value};

const NAME: &str = "net.core.somaxconn";

/// What it lets be of a number; `None` if it cannot be seen.
pub(in crate::tuning) fn cut(requested: u32, environment: &dyn Environment) -> Option<u32> {
    let limit = environment.number(NAME).ok()?;
    Some(u32::try_from(limit).map_or(requested, |limit| requested.min(limit)))
}

/// Blames it for a number that was cut.
pub(in crate::tuning) fn explain(
    attempt: &Attempt,
    environment: &dyn Environment,
) -> Option<Explanation> {
    let (Value::Number(requested), Some(Value::Number(effective)), None) =
        (attempt.requested, attempt.effective, attempt.refused)
    else {
        return taken_or_refused(attempt, environment);
    };
    if effective >= requested {
        return taken_or_refused(attempt, environment);
    }
    let effective = u64::from(effective);
    let value = match environment.number(NAME) {
        Ok(maximum) if maximum == effective => Limit::Read(maximum.to_string()),
        Ok(_) => return taken_or_refused(attempt, environment),
        Err(unseen) => Limit::Implied {
            value: effective,
            unseen,
        },
    };
    let remedy = format!("raise {NAME} to {requested} in the socket's network namespace");
    Some(Cause::Sysctl { name: NAME, value }.lifted_by(remedy))
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::fake::Fake;
    use super::super::super::spec::Privilege;
    use super::*;
    use rstest::rstest;

    fn somaxconn(value: &str) -> Option<Cause> {
        Some(Cause::Sysctl {
            name: NAME,
            value: Limit::Read(value.to_owned()),
        })
    }

    #[rstest]
    #[case::granted(16, 16, None)]
    #[case::cut(100_000, 4096, somaxconn("4096"))]
    #[case::cut_by_something_else(
        100_000,
        17,
        Some(Cause::KernelRule("the kernel keeps another value and does not say why"))
    )]
    fn names_the_cause(
        #[case] requested: u32,
        #[case] effective: u32,
        #[case] want: Option<Cause>,
    ) {
        let attempt = Attempt {
            requested: Value::Number(requested),
            privilege: Privilege::None,
            refused: None,
            effective: Some(Value::Number(effective)),
        };
        let got = explain(&attempt, &Fake(&[(NAME, "4096")]));
        assert_eq!(got.map(|explanation| explanation.cause), want);
    }
}
