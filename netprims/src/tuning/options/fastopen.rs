use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{
    Attempt, Granted, MOST, Privilege, Sockets, Spec, taken_or_refused, within,
};
use super::super::{Cause, HasTcp, Kind, Limit, Moment, Tuning, Value, Warning};
use crate::sys::sockopt::FASTOPEN;

const SOMAXCONN: &str = "net.core.somaxconn";
const FASTOPEN_ALLOWED: &str = "net.ipv4.tcp_fastopen";

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// How many connections may wait whose handshake, having come with data, is not complete.
    ///
    /// - Range: 0 to 2 147 483 647; the kernel cuts it at `net.core.somaxconn`. 0 turns it off.
    /// - Default: off. It has an effect only if `net.ipv4.tcp_fastopen` allows servers (2 is in it), of which the
    ///   report warns. TCP only.
    /// - When: before listen, or on a listener.
    /// - Privilege: none. Kernel: Linux 3.7; in 3.6, which tcp(7) names, only clients have it.
    ///
    /// Source: tcp(7), RFC 7413, `fastopen_queue_tune` in `include/linux/tcp.h`.
    #[doc(alias = "TCP_FASTOPEN")]
    pub const fn fastopen(mut self, connections: u32) -> Self {
        self.requests.fastopen = Some(connections);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_FASTOPEN",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Listening,
    privilege: Privilege::None,
    requested: |requests| requests.fastopen.map(Value::Number),
    validate: |value| {
        within(
            value,
            0..=MOST,
            "the kernel takes at most 2147483647 connections",
        )
    },
    set: |socket, value| FASTOPEN.set_number(socket, value.number()?),
    read: |socket| FASTOPEN.number(socket).map(Value::Number),
    explain,
    warn,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    let (Value::Number(requested), Some(Value::Number(effective)), None) =
        (attempt.requested, attempt.effective, attempt.refused)
    else {
        return taken_or_refused(attempt, environment);
    };
    if effective >= requested {
        return taken_or_refused(attempt, environment);
    }
    let effective = u64::from(effective);
    let value = match environment.number(SOMAXCONN) {
        Ok(maximum) if maximum == effective => Limit::Read(maximum.to_string()),
        Ok(_) => return taken_or_refused(attempt, environment),
        Err(unseen) => Limit::Implied {
            value: effective,
            unseen,
        },
    };
    let name = SOMAXCONN;
    let remedy = format!("raise {name} to {requested} in the socket's network namespace");
    Some(Cause::Sysctl { name, value }.lifted_by(remedy))
}

fn warn(granted: &Granted<'_>, environment: &dyn Environment) -> Vec<Warning> {
    let on = matches!(granted.effective, Some(Value::Number(queue)) if queue > 0);
    match environment.number(FASTOPEN_ALLOWED) {
        Ok(value) if on && value & 2 == 0 => vec![Warning::WithoutEffect {
            option: "TCP_FASTOPEN",
            sysctl: FASTOPEN_ALLOWED,
            value: value.to_string(),
            reason: "it does not allow servers: 2 must be in it",
        }],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::fake::Fake;
    use super::*;
    use rstest::rstest;

    fn somaxconn(value: &str) -> Option<Cause> {
        Some(Cause::Sysctl {
            name: SOMAXCONN,
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
        let got = explain(&attempt, &Fake(&[(SOMAXCONN, "4096")]));
        assert_eq!(got.map(|explanation| explanation.cause), want);
    }
}
