use super::super::spec::{Privilege, Sockets, Spec, no_warning, taken_or_refused, within};
use super::super::{HasUdp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::UDP_SEGMENT;

impl<K: Kind> Tuning<K>
where
    Self: HasUdp,
{
    /// The size at which the kernel or the NIC cuts what one send call gives into datagrams.
    ///
    /// - Range: 0 to 65 535, and what fits the path's MTU, of which the send call is told. 0 turns it off. Up to 64
    ///   datagrams a call, 128 since Linux 6.9.
    /// - Default: off. UDP only.
    /// - When: at any time; a control message can say it for one send.
    /// - Privilege: none. Kernel: Linux 4.18.
    ///
    /// Source: udp(7), `net/ipv4/udp.c`.
    #[doc(alias = "UDP_SEGMENT")]
    pub const fn udp_segment(mut self, bytes: u32) -> Self {
        self.requests.udp_segment = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "UDP_SEGMENT",
    sockets: Sockets::Udp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.udp_segment.map(Value::Bytes),
    validate: |value| within(value, 0..=65535, "the kernel takes at most 65535 bytes"),
    set: |socket, value| UDP_SEGMENT.set_number(socket, value.bytes()?),
    read: |socket| UDP_SEGMENT.number(socket).map(Value::Bytes),
    explain: taken_or_refused,
    warn: no_warning,
};
