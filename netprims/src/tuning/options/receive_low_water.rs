use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{
    Attempt, MOST, Privilege, Sockets, Spec, no_warning, taken_or_refused, within,
};
use super::super::{Cause, HasStream, Kind, Limit, Moment, Tuning, Value};
use crate::sys::sockopt::RECEIVE_LOW_WATER;

const AUTOTUNING: &str = "net.ipv4.tcp_rmem";

const HALF: &str = "TCP keeps at most half the receive buffer";
const NEVER: &str = "TCP keeps at most half the receive buffer or of net.ipv4.tcp_rmem, which is 1073741823 bytes at the most";

impl<K: Kind> Tuning<K>
where
    Self: HasStream,
{
    /// How many bytes must have come before a receive returns, and before poll says that there are any.
    ///
    /// - Range: 1 to 2 147 483 647. TCP cuts it at half the receive buffer, or half of what autotuning may reach
    ///   (`net.ipv4.tcp_rmem`), and so at 1 073 741 823.
    /// - Default: 1.
    /// - When: at any time.
    /// - Privilege: none. Kernel: Linux 2.4; poll heeds it since 2.6.28.
    ///
    /// Source: socket(7), `tcp_set_rcvlowat` in `net/ipv4/tcp.c`.
    #[doc(alias = "SO_RCVLOWAT")]
    pub const fn receive_low_water(mut self, bytes: u32) -> Self {
        self.requests.receive_low_water = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_RCVLOWAT",
    sockets: Sockets::Stream,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.receive_low_water.map(Value::Bytes),
    validate: |value| within(value, 1..=MOST, "the kernel takes 1 to 2147483647 bytes"),
    set: |socket, value| RECEIVE_LOW_WATER.set_number(socket, value.bytes()?),
    read: |socket| RECEIVE_LOW_WATER.number(socket).map(Value::Bytes),
    explain,
    warn: no_warning,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    let (None, Value::Bytes(requested), Some(Value::Bytes(effective))) =
        (attempt.refused, attempt.requested, attempt.effective)
    else {
        return taken_or_refused(attempt, environment);
    };
    if effective >= requested {
        return taken_or_refused(attempt, environment);
    }
    let words = environment.words(AUTOTUNING);
    let ceiling = words.get(2).and_then(|word| word.parse::<u32>().ok());
    if requested > MOST / 2 {
        // Both the sysctl and the buffer are at most `MOST`.
        return Some(Cause::KernelRule(NEVER).into());
    }
    if ceiling.is_some_and(|ceiling| ceiling / 2 == effective) {
        let name = AUTOTUNING;
        let value = Limit::Read(words.join(" "));
        let most = requested * 2;
        let remedy = format!("TCP keeps half of its third number: raise that to {most}");
        return Some(Cause::Sysctl { name, value }.lifted_by(remedy));
    }
    let remedy = match ceiling {
        Some(ceiling) if ceiling / 2 >= requested => "set a larger receive buffer, or none",
        _ => "set a larger receive buffer",
    };
    Some(Cause::KernelRule(HALF).lifted_by(remedy))
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::fake::Fake;
    use super::*;
    use rstest::rstest;

    fn sysctl() -> Cause {
        let value = Limit::Read("4096 131072 33554432".to_owned());
        let name = AUTOTUNING;
        Cause::Sysctl { name, value }
    }

    #[rstest]
    #[case::granted(1000, 1000, None)]
    #[case::half_of_what_autotuning_reaches(1_073_741_823, 16_777_216, Some(sysctl()))]
    #[case::half_of_the_buffer(1_073_741_823, 100_000, Some(Cause::KernelRule(HALF)))]
    #[case::more_than_any_sysctl(1_073_741_824, 16_777_216, Some(Cause::KernelRule(NEVER)))]
    #[case::more_than_any_buffer(1_073_741_824, 100_000, Some(Cause::KernelRule(NEVER)))]
    fn names_the_cause(
        #[case] requested: u32,
        #[case] effective: u32,
        #[case] want: Option<Cause>,
    ) {
        let attempt = Attempt {
            requested: Value::Bytes(requested),
            privilege: Privilege::None,
            refused: None,
            effective: Some(Value::Bytes(effective)),
        };
        let got = explain(&attempt, &Fake(&[(AUTOTUNING, "4096 131072 33554432")]));
        assert_eq!(got.map(|explanation| explanation.cause), want);
    }
}
