use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{
    Attempt, Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused,
};
use super::super::{Cause, HasIp, Kind, Moment, Timestamping, Tuning, Value};
use crate::sys::sockopt::TIMESTAMPING;

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Which packets are stamped with the time, and which stamps are reported.
    ///
    /// - Default: none. A stamp needs both a flag that makes it and one that reports it. Hardware stamps need a NIC
    ///   that was told to make them.
    /// - When: at any time; `OPT_ID` on TCP only once it is connected.
    /// - Privilege: none.
    /// - Kernel: Linux 2.6.30; `OPT_ID`, `TX_SCHED` and `TX_ACK` 3.17, `OPT_CMSG` 3.19, `OPT_TSONLY` 4.0, `OPT_PKTINFO`
    ///   and `OPT_TX_SWHW` 4.13. What is missing is refused with `EINVAL`.
    ///
    /// Source: `Documentation/networking/timestamping.rst`.
    #[doc(alias = "SO_TIMESTAMPING")]
    pub const fn timestamping(mut self, what: Timestamping) -> Self {
        self.requests.timestamping = Some(what);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_TIMESTAMPING",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.timestamping.map(Value::Timestamping),
    validate: any_value,
    set: |socket, value| TIMESTAMPING.set_number(socket, value.timestamping()?.raw()),
    read: |socket| {
        let flags = TIMESTAMPING.number(socket)?;
        Ok(Value::Timestamping(Timestamping::of_raw(flags)))
    },
    explain,
    warn: no_warning,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    match (attempt.refused, attempt.requested) {
        (Some(libc::EINVAL), Value::Timestamping(what)) if what.contains(Timestamping::OPT_ID) => {
            let rule = "TCP numbers stamps only of a connected socket";
            Some(Cause::KernelRule(rule).lifted_by("apply it once the socket is connected"))
        }
        _ => taken_or_refused(attempt, environment),
    }
}
