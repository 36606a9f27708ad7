use std::time::Duration;

use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{Attempt, Privilege, Sockets, Spec, no_warning, taken_or_refused};
use super::super::{Cause, HasTcp, Kind, Moment, Tuning, Value};
use super::time;
use crate::sys::sockopt::DEFER_ACCEPT;

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// How long a connection may stay without data before accept returns it all the same.
    ///
    /// - Unit: whole seconds. The kernel counts retransmissions of its own SYN-ACK (after 1, 3, 7, 15, … seconds)
    ///   and rounds up: the report shows what it made of it. Zero turns it off.
    /// - Default: off: accept returns a connection when its handshake is complete. TCP only.
    /// - When: before listen, or on a listener.
    /// - Privilege: none. Kernel: Linux 2.4.
    ///
    /// Source: tcp(7), `secs_to_retrans` in `net/ipv4/tcp.c`.
    #[doc(alias = "TCP_DEFER_ACCEPT")]
    pub const fn defer_accept(mut self, time: Duration) -> Self {
        self.requests.defer_accept = Some(time);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_DEFER_ACCEPT",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Listening,
    privilege: Privilege::None,
    requested: |requests| requests.defer_accept.map(Value::Time),
    validate: time::seconds,
    set: |socket, value| DEFER_ACCEPT.set_number(socket, time::whole_seconds(value)?),
    read: |socket| {
        let seconds = DEFER_ACCEPT.number(socket)?;
        Ok(Value::Time(Duration::from_secs(u64::from(seconds))))
    },
    explain,
    warn: no_warning,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    match (attempt.refused, attempt.requested, attempt.effective) {
        (None, Value::Time(requested), Some(Value::Time(effective))) if effective > requested => {
            let rule = "the kernel waits a whole number of retransmissions and rounds up";
            Some(Cause::KernelRule(rule).into())
        }
        (None, Value::Time(requested), Some(Value::Time(effective))) if effective < requested => {
            Some(Cause::KernelRule("the kernel waits at most 255 retransmissions").into())
        }
        _ => taken_or_refused(attempt, environment),
    }
}
