use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::PREFER_BUSY_POLL;

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Whether the device's interrupts stay off while the program keeps polling, so that packets are handled by
    /// busy polling only.
    ///
    /// - Default: off. It needs the device's `napi_defer_hard_irqs` and `gro_flush_timeout` to be set, and
    ///   [`busy_poll`](Self::busy_poll).
    /// - When: at any time.
    /// - Privilege: CAP_NET_ADMIN in the first user namespace to turn it on.
    /// - Kernel: Linux 5.11, built with `CONFIG_NET_RX_BUSY_POLL`.
    ///
    /// Source: `Documentation/networking/napi.rst`, `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_PREFER_BUSY_POLL")]
    pub const fn prefer_busy_poll(mut self, on: bool) -> Self {
        self.requests.prefer_busy_poll = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_PREFER_BUSY_POLL",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::System,
    requested: |requests| requests.prefer_busy_poll.map(Value::Flag),
    validate: any_value,
    set: |socket, value| PREFER_BUSY_POLL.set_flag(socket, value.flag()?),
    read: |socket| PREFER_BUSY_POLL.flag(socket).map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
