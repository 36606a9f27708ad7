use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// The mark that packets of this socket carry within this host, for routing rules and firewalls.
    ///
    /// - Range: all of it. Default: 0.
    /// - When: at any time; for connect's route before connect.
    /// - Privilege: CAP_NET_ADMIN over the network namespace, or CAP_NET_RAW since Linux 5.17.
    /// - Kernel: Linux 2.6.25.
    ///
    /// Source: socket(7).
    #[doc(alias = "SO_MARK")]
    pub const fn mark(mut self, mark: u32) -> Self {
        self.requests.mark = Some(mark);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_MARK",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::NET_RAW_OR_ADMIN,
    requested: |requests| requests.mark.map(Value::Number),
    validate: any_value,
    set: |socket, value| socket.set_mark(value.number()?),
    read: |socket| socket.mark().map(Value::Number),
    explain: taken_or_refused,
    warn: no_warning,
};
