//! What `SO_RCVBUF` and `SO_SNDBUF` have in common: the kernel cuts the value at a sysctl, doubles it, and keeps a
//! minimum. Source: `sk_setsockopt` in `net/core/sock.c`, socket(7).

use std::io;

use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{Attempt, refusal};
use super::super::{Cause, Limit, Value};

/// The sysctl that cuts the value, and the option that ignores it.
pub(super) struct Clamp {
    pub(super) sysctl: &'static str,
    pub(super) force: &'static str,
}

/// `INT_MAX / 2`: the kernel keeps the doubled value in an `int`.
const MOST: u32 = 1_073_741_823;

pub(super) fn validate(value: Value) -> Result<(), &'static str> {
    match value {
        Value::Bytes(0) => Err("a buffer needs at least one byte"),
        // Above, the kernel cuts it whatever the sysctl says.
        Value::Bytes(bytes) if bytes > MOST => Err("the kernel keeps at most 1073741823 bytes"),
        _ => Ok(()),
    }
}

pub(super) fn explain(
    attempt: &Attempt,
    environment: &dyn Environment,
    clamp: &Clamp,
) -> Option<Explanation> {
    if let Some(errno) = attempt.refused {
        return Some(refusal(errno, attempt, environment));
    }
    let (Value::Bytes(requested), Some(Value::Bytes(effective))) =
        (attempt.requested, attempt.effective)
    else {
        return Some(Cause::KernelRule("the value in effect cannot be read").into());
    };
    let doubled = 2 * u64::from(requested);
    let effective = u64::from(effective);
    if effective == doubled {
        return None;
    }
    if effective > doubled {
        return Some(Cause::KernelRule("it is the least the kernel keeps").into());
    }
    let value = match environment.number(clamp.sysctl) {
        Ok(maximum) if effective == maximum.saturating_mul(2) => Limit::Read(maximum.to_string()),
        // A limit that does not explain what is in effect is not named as the cause.
        Ok(_) => {
            return Some(Cause::KernelRule("the kernel keeps less and does not say why").into());
        }
        Err(unseen) => {
            let value = effective / 2;
            Limit::Implied { value, unseen }
        }
    };
    let name = clamp.sysctl;
    let cause = Cause::Sysctl { name, value };
    let remedy = format!(
        "raise {} to {requested} in the first network namespace, or use {} with CAP_NET_ADMIN",
        clamp.sysctl, clamp.force
    );
    Some(cause.lifted_by(remedy))
}

/// What came of an option that ignores the sysctl; `None` if the kernel refused it.
pub(super) fn forced(attempt: &Attempt) -> Option<Option<Explanation>> {
    let (None, Value::Bytes(requested), Some(Value::Bytes(effective))) =
        (attempt.refused, attempt.requested, attempt.effective)
    else {
        return None;
    };
    let doubled = 2 * u64::from(requested);
    Some(match u64::from(effective) {
        effective if effective == doubled => None,
        effective if effective > doubled => {
            Some(Cause::KernelRule("it is the least the kernel keeps").into())
        }
        _ => Some(Cause::KernelRule("the kernel keeps less and does not say why").into()),
    })
}

/// What the kernel reads back as an `int` that is never negative.
pub(super) fn bytes(size: usize) -> io::Result<Value> {
    u32::try_from(size)
        .map(Value::Bytes)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// `u32` always fits: the crate is for 64-bit and 32-bit Linux.
pub(super) fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::super::Unseen;
    use super::super::super::environment::fake::Fake;
    use super::super::super::spec::Privilege;
    use super::*;
    use rstest::rstest;

    const CLAMP: Clamp = Clamp {
        sysctl: "net.core.rmem_max",
        force: "SO_RCVBUFFORCE",
    };
    const FOUR_MIB: &[(&str, &str)] = &[("net.core.rmem_max", "4194304")];

    fn read(value: &str) -> Option<Cause> {
        Some(Cause::Sysctl {
            name: "net.core.rmem_max",
            value: Limit::Read(value.to_owned()),
        })
    }

    fn implied(value: u64) -> Option<Cause> {
        let unseen = Unseen::Absent;
        Some(Cause::Sysctl {
            name: "net.core.rmem_max",
            value: Limit::Implied { value, unseen },
        })
    }

    #[rstest]
    #[case::doubled_is_granted(100_000, 200_000, FOUR_MIB, None)]
    #[case::at_the_limit_is_granted(4_194_304, 8_388_608, FOUR_MIB, None)]
    #[case::over_the_limit(50_000_000, 8_388_608, FOUR_MIB, read("4194304"))]
    #[case::one_over_the_limit(4_194_305, 8_388_608, FOUR_MIB, read("4194304"))]
    #[case::limit_out_of_sight(50_000_000, 8_388_608, &[], implied(4_194_304))]
    #[case::minimum(
        1000,
        2304,
        FOUR_MIB,
        Some(Cause::KernelRule("it is the least the kernel keeps"))
    )]
    #[case::a_limit_that_explains_nothing(
        1000,
        1500,
        FOUR_MIB,
        Some(Cause::KernelRule("the kernel keeps less and does not say why"))
    )]
    #[case::less_than_the_limit_explains(
        50_000_000,
        8_000_000,
        FOUR_MIB,
        Some(Cause::KernelRule("the kernel keeps less and does not say why"))
    )]
    #[case::largest(1_073_741_823, 8_388_608, FOUR_MIB, read("4194304"))]
    fn names_the_cause(
        #[case] requested: u32,
        #[case] effective: u32,
        #[case] sysctls: &'static [(&'static str, &'static str)],
        #[case] want: Option<Cause>,
    ) {
        let attempt = Attempt {
            requested: Value::Bytes(requested),
            privilege: Privilege::None,
            refused: None,
            effective: Some(Value::Bytes(effective)),
        };
        let got = explain(&attempt, &Fake(sysctls), &CLAMP).map(|explanation| explanation.cause);
        assert_eq!(got, want);
    }

    #[test]
    fn a_clamp_says_what_lifts_it() {
        let attempt = Attempt {
            requested: Value::Bytes(50_000_000),
            privilege: Privilege::None,
            refused: None,
            effective: Some(Value::Bytes(8_388_608)),
        };
        let remedy = explain(&attempt, &Fake(FOUR_MIB), &CLAMP)
            .unwrap()
            .remedy
            .unwrap();
        assert!(remedy.contains("net.core.rmem_max to 50000000"), "{remedy}");
        assert!(remedy.contains("SO_RCVBUFFORCE"), "{remedy}");
    }

    #[rstest]
    #[case(0, false)]
    #[case(1, true)]
    #[case(1_073_741_823, true)]
    #[case(1_073_741_824, false)]
    #[case(u32::MAX, false)]
    fn takes_what_an_int_can_hold_doubled(#[case] bytes: u32, #[case] valid: bool) {
        assert_eq!(validate(Value::Bytes(bytes)).is_ok(), valid);
    }
}
