use std::time::Duration;

use super::super::spec::{Privilege, Sockets, Spec, no_warning, taken_or_refused};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};
use super::time;

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// How long sent data may stay unacknowledged before the connection is given up with `ETIMEDOUT`.
    ///
    /// - Unit: whole milliseconds, up to 2 147 483 647. Zero stands for the default.
    /// - Default: by retransmissions, `net.ipv4.tcp_retries2`: about 15 minutes. It overrides the keepalive count
    ///   too. TCP only.
    /// - When: at any time.
    /// - Privilege: none. Kernel: Linux 2.6.37.
    ///
    /// Source: tcp(7), RFC 5482.
    #[doc(alias = "TCP_USER_TIMEOUT")]
    pub const fn user_timeout(mut self, time: Duration) -> Self {
        self.requests.user_timeout = Some(time);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_USER_TIMEOUT",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.user_timeout.map(Value::Time),
    validate: time::milliseconds,
    set: |socket, value| socket.set_tcp_user_timeout(Some(value.time()?)),
    read: |socket| {
        let time = socket.tcp_user_timeout()?;
        Ok(Value::Time(time.unwrap_or(Duration::ZERO)))
    },
    explain: taken_or_refused,
    warn: no_warning,
};
