use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasUdp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::UDP_GRO;

impl<K: Kind> Tuning<K>
where
    Self: HasUdp,
{
    /// Whether a receive may return several datagrams of one peer in one piece, with their size in a control
    /// message.
    ///
    /// - Default: off. The buffer must have room for 64 KiB. UDP only.
    /// - When: at any time.
    /// - Privilege: none. Kernel: Linux 5.0.
    ///
    /// Source: udp(7), `net/ipv4/udp.c`.
    #[doc(alias = "UDP_GRO")]
    pub const fn udp_gro(mut self, on: bool) -> Self {
        self.requests.udp_gro = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "UDP_GRO",
    sockets: Sockets::Udp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.udp_gro.map(Value::Flag),
    validate: any_value,
    set: |socket, value| UDP_GRO.set_flag(socket, value.flag()?),
    read: |socket| UDP_GRO.flag(socket).map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
