use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{
    Attempt, Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused,
};
use super::super::{Cause, HasTcp, Kind, Limit, Moment, Tuning, Value};
use crate::sys::sockopt::FASTOPEN_CONNECT;

const FASTOPEN_ALLOWED: &str = "net.ipv4.tcp_fastopen";

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// Whether connect returns at once and the first write goes out with the handshake, if the peer has given a
    /// cookie before.
    ///
    /// - Default: off. The peer may see that first data twice. TCP only.
    /// - When: before connect.
    /// - Privilege: none, but `net.ipv4.tcp_fastopen` must allow clients (1 is in it).
    /// - Kernel: Linux 4.11.
    ///
    /// Source: tcp(7), RFC 7413, `do_tcp_setsockopt` in `net/ipv4/tcp.c`.
    #[doc(alias = "TCP_FASTOPEN_CONNECT")]
    pub const fn fastopen_connect(mut self, on: bool) -> Self {
        self.requests.fastopen_connect = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_FASTOPEN_CONNECT",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Bound,
    privilege: Privilege::None,
    requested: |requests| requests.fastopen_connect.map(Value::Flag),
    validate: any_value,
    set: |socket, value| FASTOPEN_CONNECT.set_flag(socket, value.flag()?),
    read: |socket| FASTOPEN_CONNECT.flag(socket).map(Value::Flag),
    explain,
    warn: no_warning,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    // The kernel answers as if it did not have the option where the sysctl forbids it.
    match (attempt.refused, environment.number(FASTOPEN_ALLOWED)) {
        (Some(libc::EOPNOTSUPP), Ok(allowed)) if allowed & 1 == 0 => {
            let name = FASTOPEN_ALLOWED;
            let value = Limit::Read(allowed.to_string());
            let remedy = format!("set {name} to {}", allowed | 1);
            Some(Cause::Sysctl { name, value }.lifted_by(remedy))
        }
        _ => taken_or_refused(attempt, environment),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::fake::Fake;
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::forbidden(Fake(&[(FASTOPEN_ALLOWED, "2")]), Cause::Sysctl { name: FASTOPEN_ALLOWED, value: Limit::Read("2".to_owned()) })]
    #[case::allowed(Fake(&[(FASTOPEN_ALLOWED, "1")]), Cause::NotSupported)]
    #[case::out_of_sight(Fake(&[]), Cause::NotSupported)]
    fn names_the_cause(#[case] environment: Fake, #[case] want: Cause) {
        let attempt = Attempt {
            requested: Value::Flag(true),
            privilege: Privilege::None,
            refused: Some(libc::EOPNOTSUPP),
            effective: Some(Value::Flag(false)),
        };
        assert_eq!(explain(&attempt, &environment).unwrap().cause, want);
    }
}
