use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// The priority of this socket's packets in the queueing discipline of the device.
    ///
    /// - Range: 0 to 15 means something to `prio` and `mqprio`; the kernel takes any number.
    /// - Default: 0. Setting [`dscp`](Self::dscp) on an IPv4 socket changes it; asked for together, this one is set
    ///   last.
    /// - When: at any time.
    /// - Privilege: none for 0 to 6; above CAP_NET_ADMIN over the network namespace, or CAP_NET_RAW since Linux
    ///   5.17. Kernel: any.
    ///
    /// Source: socket(7), `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_PRIORITY")]
    pub const fn priority(mut self, priority: u32) -> Self {
        self.requests.priority = Some(priority);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_PRIORITY",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::NET_RAW_OR_ADMIN,
    requested: |requests| requests.priority.map(Value::Number),
    validate: any_value,
    set: |socket, value| socket.set_priority(value.number()?),
    read: |socket| socket.priority().map(Value::Number),
    explain: taken_or_refused,
    warn: no_warning,
};
