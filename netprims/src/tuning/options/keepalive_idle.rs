use std::time::Duration;

use super::super::spec::{Privilege, Sockets, Spec, taken_or_refused};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};
use super::time;
use crate::sys::sockopt::KEEPALIVE_IDLE;

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// How long a connection is idle before the first probe.
    ///
    /// - Unit: whole seconds, 1 to 32 767.
    /// - Default: `net.ipv4.tcp_keepalive_time`, two hours. It has an effect only with
    ///   [`keepalive`](Self::keepalive), of which the report warns. TCP only.
    /// - When: at any time. Accepted sockets inherit it from the listener.
    /// - Privilege: none. Kernel: Linux 2.4.
    ///
    /// Source: tcp(7).
    #[doc(alias = "TCP_KEEPIDLE")]
    pub const fn keepalive_idle(mut self, time: Duration) -> Self {
        self.requests.keepalive_idle = Some(time);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_KEEPIDLE",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.keepalive_idle.map(Value::Time),
    validate: time::keepalive,
    set: |socket, value| KEEPALIVE_IDLE.set_number(socket, time::whole_seconds(value)?),
    read: |socket| {
        let seconds = KEEPALIVE_IDLE.number(socket)?;
        Ok(Value::Time(Duration::from_secs(u64::from(seconds))))
    },
    explain: taken_or_refused,
    warn: time::needs_keepalive,
};
