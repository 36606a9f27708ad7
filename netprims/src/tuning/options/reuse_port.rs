use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Whether several sockets of the same user may be bound to one address, the kernel spreading connections or
    /// datagrams over them.
    ///
    /// - Default: off. Every socket of the group must set it.
    /// - When: at any time. Whoever binds next is let in if by then every socket at the address has it; a socket that
    ///   sets it after it was bound, or listens, counts from then on.
    /// - Privilege: none; the sockets must belong to one effective user. Kernel: Linux 3.9.
    ///
    /// Source: socket(7).
    #[doc(alias = "SO_REUSEPORT")]
    pub const fn reuse_port(mut self, on: bool) -> Self {
        self.requests.reuse_port = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_REUSEPORT",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.reuse_port.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_reuse_port(value.flag()?),
    read: |socket| socket.reuse_port().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
