use super::super::spec::{Privilege, Sockets, Spec, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::MAX_PACING_RATE;

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// The rate above which the socket does not send, in bytes a second.
    ///
    /// - Range: 1 to 18 446 744 073 709 551 615, which is without limit.
    /// - Default: without limit. TCP paces by itself since Linux 4.13; other sockets need the queueing discipline `fq`
    ///   on the device.
    /// - When: at any time.
    /// - Privilege: none.
    /// - Kernel: Linux 3.13; up to 5.0 only the low 32 bits count, and on 32-bit kernels.
    ///
    /// Source: socket(7), tc-fq(8), `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_MAX_PACING_RATE")]
    pub const fn max_pacing_rate(mut self, bytes_per_second: u64) -> Self {
        self.requests.max_pacing_rate = Some(bytes_per_second);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_MAX_PACING_RATE",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.max_pacing_rate.map(Value::Rate),
    validate,
    set: |socket, value| MAX_PACING_RATE.set(socket, value.rate()?.to_ne_bytes()),
    read: |socket| {
        let rate = MAX_PACING_RATE.get(socket)?;
        Ok(Value::Rate(u64::from_ne_bytes(rate)))
    },
    explain: taken_or_refused,
    warn: no_warning,
};

fn validate(value: Value) -> Result<(), &'static str> {
    match value {
        Value::Rate(0) => Err("at no byte a second nothing is ever sent"),
        _ => Ok(()),
    }
}
