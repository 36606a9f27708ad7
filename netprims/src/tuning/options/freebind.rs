use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Whether bind takes an address that this host does not have, or not yet.
    ///
    /// - Default: off, unless `net.ipv4.ip_nonlocal_bind` is 1. For IPv6 too.
    /// - When: before bind.
    /// - Privilege: none. Kernel: Linux 2.4.
    ///
    /// Source: ip(7).
    #[doc(alias = "IP_FREEBIND")]
    #[doc(alias = "IPV6_FREEBIND")]
    pub const fn freebind(mut self, on: bool) -> Self {
        self.requests.freebind = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IP_FREEBIND",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Open,
    privilege: Privilege::None,
    requested: |requests| requests.freebind.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_freebind_v4(value.flag()?),
    read: |socket| socket.freebind_v4().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
