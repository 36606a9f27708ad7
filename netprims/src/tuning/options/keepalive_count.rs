use super::super::spec::{Privilege, Sockets, Spec, taken_or_refused, within};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};
use super::time;
use crate::sys::sockopt::KEEPALIVE_COUNT;

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// After how many probes without an answer the connection is given up with `ETIMEDOUT`.
    ///
    /// - Range: 1 to 127.
    /// - Default: `net.ipv4.tcp_keepalive_probes`, 9. It has an effect only with [`keepalive`](Self::keepalive), of
    ///   which the report warns. TCP only.
    /// - When: at any time. Accepted sockets inherit it from the listener.
    /// - Privilege: none. Kernel: Linux 2.4.
    ///
    /// Source: tcp(7).
    #[doc(alias = "TCP_KEEPCNT")]
    pub const fn keepalive_count(mut self, probes: u32) -> Self {
        self.requests.keepalive_count = Some(probes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_KEEPCNT",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.keepalive_count.map(Value::Number),
    validate: |value| within(value, 1..=127, "the kernel takes 1 to 127 probes"),
    set: |socket, value| KEEPALIVE_COUNT.set_number(socket, value.number()?),
    read: |socket| KEEPALIVE_COUNT.number(socket).map(Value::Number),
    explain: taken_or_refused,
    warn: time::needs_keepalive,
};
