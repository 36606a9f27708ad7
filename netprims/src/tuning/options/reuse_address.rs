use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Whether bind succeeds although connections of an earlier socket at the address are not all gone (TCP), or
    /// another socket with the option is bound to it (UDP).
    ///
    /// - Default: off; on for what [`TcpBuilder::listen`](crate::socket::TcpBuilder::listen) and its groups open.
    /// - When: before bind has its effect on this socket; later on those that bind after it.
    /// - Privilege: none. Kernel: any.
    ///
    /// Source: socket(7), ip(7).
    #[doc(alias = "SO_REUSEADDR")]
    pub const fn reuse_address(mut self, on: bool) -> Self {
        self.requests.reuse_address = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_REUSEADDR",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.reuse_address.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_reuse_address(value.flag()?),
    read: |socket| socket.reuse_address().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
