use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Whether an IPv6 socket leaves IPv4 peers to other sockets.
    ///
    /// - Default: `net.ipv6.bindv6only`, off: an IPv6 socket at the unspecified address serves both. IPv6 sockets
    ///   only.
    /// - When: before bind.
    /// - Privilege: none. Kernel: Linux 2.4.21.
    ///
    /// Source: ipv6(7).
    #[doc(alias = "IPV6_V6ONLY")]
    pub const fn only_v6(mut self, on: bool) -> Self {
        self.requests.only_v6 = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IPV6_V6ONLY",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Open,
    privilege: Privilege::None,
    requested: |requests| requests.only_v6.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_only_v6(value.flag()?),
    read: |socket| socket.only_v6().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
