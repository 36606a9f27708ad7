use super::super::spec::{Privilege, Sockets, Spec, no_warning, taken_or_refused, within};
use super::super::{HasIp, Kind, Moment, Tuning, Value};
use super::family;
use crate::sys::sockopt::{HOP_LIMIT, TTL};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// How many routers a packet of this socket may pass.
    ///
    /// - Range: 1 to 255.
    /// - Default: `net.ipv4.ip_default_ttl`, or what the IPv6 router announced: 64.
    /// - On an IPv6 socket both `IPV6_UNICAST_HOPS` and `IP_TTL` are set, the latter for peers that are reached
    ///   over IPv4.
    /// - When: at any time. Accepted sockets inherit it from the listener.
    /// - Privilege: none. Kernel: any.
    ///
    /// Source: ip(7), ipv6(7).
    #[doc(alias = "IP_TTL")]
    #[doc(alias = "IPV6_UNICAST_HOPS")]
    pub const fn hop_limit(mut self, hops: u32) -> Self {
        self.requests.hop_limit = Some(hops);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IP_TTL",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.hop_limit.map(Value::Number),
    validate: |value| within(value, 1..=255, "a packet has 1 to 255 hops"),
    set: |socket, value| {
        let hops = value.number()?;
        family::each(socket, &TTL, &HOP_LIMIT, |option| {
            option.set_number(socket, hops)
        })
    },
    read: |socket| {
        let hops = family::own(socket, &TTL, &HOP_LIMIT)?.number(socket)?;
        Ok(Value::Number(hops))
    },
    explain: taken_or_refused,
    warn: no_warning,
};
