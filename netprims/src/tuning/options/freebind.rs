use super::super::spec::{Privilege, Spec, any_value, no_warning, taken_or_refused};
use super::super::{Moment, Tuning, Value};

impl Tuning {
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
        self.freebind = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IP_FREEBIND",
    earliest: Moment::Open,
    latest: Moment::Open,
    privilege: Privilege::None,
    requested: |tuning| tuning.freebind.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_freebind_v4(value.flag()?),
    read: |socket| socket.freebind_v4().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
