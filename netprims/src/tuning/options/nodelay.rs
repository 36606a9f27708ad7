use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// Whether small segments are sent at once instead of waiting for the acknowledgement of earlier ones (Nagle's
    /// algorithm).
    ///
    /// - Default: off. TCP only.
    /// - When: at any time. Accepted sockets inherit it from the listener.
    /// - Privilege: none. Kernel: any.
    ///
    /// Source: tcp(7).
    #[doc(alias = "TCP_NODELAY")]
    pub const fn nodelay(mut self, on: bool) -> Self {
        self.requests.nodelay = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_NODELAY",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.nodelay.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_tcp_nodelay(value.flag()?),
    read: |socket| socket.tcp_nodelay().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
