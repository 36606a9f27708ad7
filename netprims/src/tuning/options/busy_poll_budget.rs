use super::super::spec::{Privilege, Sockets, Spec, no_warning, taken_or_refused, within};
use super::super::{HasIp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::BUSY_POLL_BUDGET;

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// How many packets a busy poll takes from the device's queue at once.
    ///
    /// - Range: 0 to 65 535.
    /// - Default: 8. The kernel has no way to read it back: the report says that it was set.
    /// - When: at any time.
    /// - Privilege: CAP_NET_ADMIN in the first user namespace to raise it. A fresh socket has 0, which stands for the
    ///   default: every other value needs it.
    /// - Kernel: Linux 5.11, built with `CONFIG_NET_RX_BUSY_POLL`.
    ///
    /// Source: `Documentation/networking/napi.rst`, `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_BUSY_POLL_BUDGET")]
    pub const fn busy_poll_budget(mut self, packets: u32) -> Self {
        self.requests.busy_poll_budget = Some(packets);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_BUSY_POLL_BUDGET",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::System,
    requested: |requests| requests.busy_poll_budget.map(Value::Number),
    validate: |value| within(value, 0..=65535, "the kernel takes at most 65535 packets"),
    set: |socket, value| BUSY_POLL_BUDGET.set_number(socket, value.number()?),
    read: |socket| BUSY_POLL_BUDGET.number(socket).map(Value::Number),
    explain: taken_or_refused,
    warn: no_warning,
};
