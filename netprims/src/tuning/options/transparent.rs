use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Whether the socket may be bound to addresses of others and accept their connections, as a transparent proxy
    /// does.
    ///
    /// - Default: off. For IPv6 too. It needs routing rules that bring such packets here.
    /// - When: at any time; for bind, before bind.
    /// - Privilege: CAP_NET_RAW or CAP_NET_ADMIN over the network namespace to turn it on.
    /// - Kernel: Linux 2.6.28.
    ///
    /// Source: ip(7), `Documentation/networking/tproxy.rst`.
    #[doc(alias = "IP_TRANSPARENT")]
    #[doc(alias = "IPV6_TRANSPARENT")]
    pub const fn transparent(mut self, on: bool) -> Self {
        self.requests.transparent = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IP_TRANSPARENT",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::NET_RAW_OR_ADMIN,
    requested: |requests| requests.transparent.map(Value::Flag),
    validate: any_value,
    set: |socket, value| socket.set_ip_transparent_v4(value.flag()?),
    read: |socket| socket.ip_transparent_v4().map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
