use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// Whether segments are acknowledged at once instead of with the next data.
    ///
    /// - Default: on until the kernel finds the connection interactive. The kernel changes it as the connection
    ///   goes on: it holds for the moment, not for good, and must be set again after each receive where it matters.
    /// - When: on a connection. TCP only.
    /// - Privilege: none. Kernel: Linux 2.4.4.
    ///
    /// Source: tcp(7), `__tcp_sock_set_quickack` in `net/ipv4/tcp.c`.
    #[doc(alias = "TCP_QUICKACK")]
    pub const fn quickack(mut self, on: bool) -> Self {
        self.requests.quickack = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_QUICKACK",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.quickack.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_tcp_quickack(value.flag()?),
    read: |socket| socket.tcp_quickack().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
