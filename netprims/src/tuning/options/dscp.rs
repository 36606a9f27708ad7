use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{Dscp, HasIp, Kind, Moment, Tuning, Value};
use super::family;
use crate::sys::sockopt::{TOS, TRAFFIC_CLASS};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// The service class of this socket's packets.
    ///
    /// - Default: best effort. The two bits of ECN in the same byte are left as they are.
    /// - On an IPv6 socket both `IPV6_TCLASS` and `IP_TOS` are set, the latter for peers that are reached over
    ///   IPv4. On an IPv4 socket the kernel derives [`priority`](Self::priority) from it.
    /// - When: at any time. Accepted sockets inherit it from the listener.
    /// - Privilege: none. Kernel: any.
    ///
    /// Source: ip(7), ipv6(7), RFC 2474.
    #[doc(alias = "IP_TOS")]
    #[doc(alias = "IPV6_TCLASS")]
    pub const fn dscp(mut self, dscp: Dscp) -> Self {
        self.requests.dscp = Some(dscp);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IP_TOS",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.dscp.map(Value::Dscp),
    validate: any_value,
    set: |socket, value| {
        let dscp = value.dscp()?;
        family::each(socket, &TOS, &TRAFFIC_CLASS, |option| {
            // The two bits of ECN belong to the transport.
            let before = option.number(socket)?;
            option.set_number(socket, dscp.header(before))
        })
    },
    read: |socket| {
        let byte = family::own(socket, &TOS, &TRAFFIC_CLASS)?.number(socket)?;
        Ok(Value::Dscp(Dscp::of_header(byte)))
    },
    explain: taken_or_refused,
    warn: no_warning,
};
