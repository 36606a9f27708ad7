use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// Whether an idle connection is probed, so that a peer that vanished is noticed.
    ///
    /// - Default: off. When and how often: [`keepalive_idle`](Self::keepalive_idle),
    ///   [`keepalive_interval`](Self::keepalive_interval), [`keepalive_count`](Self::keepalive_count).
    /// - When: at any time. Accepted sockets inherit it from the listener.
    /// - Privilege: none. Kernel: any.
    ///
    /// Source: socket(7), tcp(7).
    #[doc(alias = "SO_KEEPALIVE")]
    pub const fn keepalive(mut self, on: bool) -> Self {
        self.requests.keepalive = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_KEEPALIVE",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.keepalive.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_keepalive(value.flag()?),
    read: |socket| socket.keepalive().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
