use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// Whether only full segments are sent, until it is turned off or 200 ms have passed.
    ///
    /// - Default: off. With [`nodelay`](Self::nodelay) it wins while it is on. TCP only.
    /// - When: at any time.
    /// - Privilege: none. Kernel: Linux 2.2.
    ///
    /// Source: tcp(7).
    #[doc(alias = "TCP_CORK")]
    pub const fn cork(mut self, on: bool) -> Self {
        self.requests.cork = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_CORK",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.cork.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_tcp_cork(value.flag()?),
    read: |socket| socket.tcp_cork().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
