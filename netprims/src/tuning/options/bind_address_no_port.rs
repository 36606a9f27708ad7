use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::BIND_ADDRESS_NO_PORT;

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Whether bind to an address with port 0 leaves the port to connect, which can then use one again that goes to
    /// another peer.
    ///
    /// - Default: off: bind takes a port, and a host has as many connections from an address as ports.
    /// - When: before bind.
    /// - Privilege: none. Kernel: Linux 4.2.
    ///
    /// Source: ip(7).
    #[doc(alias = "IP_BIND_ADDRESS_NO_PORT")]
    pub const fn bind_address_no_port(mut self, on: bool) -> Self {
        self.requests.bind_address_no_port = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IP_BIND_ADDRESS_NO_PORT",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Open,
    privilege: Privilege::None,
    requested: |requests| requests.bind_address_no_port.map(Value::Flag),
    validate: any_value,
    set: |socket, value| BIND_ADDRESS_NO_PORT.set_flag(socket, value.flag()?),
    read: |socket| BIND_ADDRESS_NO_PORT.flag(socket).map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
