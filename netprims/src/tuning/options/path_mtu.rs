use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, PathMtu, Tuning, Value};
use super::family;
use crate::sys::sockopt::{PATH_MTU_V4, PATH_MTU_V6};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// How the largest packet of the path is found, and what becomes of a datagram that is larger.
    ///
    /// - Default: `Want`, unless `net.ipv4.ip_no_pmtu_disc` is set.
    /// - On an IPv6 socket both `IPV6_MTU_DISCOVER` and `IP_MTU_DISCOVER` are set, the latter for peers that are
    ///   reached over IPv4.
    /// - When: at any time.
    /// - Privilege: none. Kernel: Linux 2.2; `Probe` 2.6.22, `Interface` 3.13 (IPv6 3.14), `Omit` 3.15.
    ///
    /// Source: ip(7), ipv6(7).
    #[doc(alias = "IP_MTU_DISCOVER")]
    #[doc(alias = "IPV6_MTU_DISCOVER")]
    pub const fn path_mtu(mut self, mode: PathMtu) -> Self {
        self.requests.path_mtu = Some(mode);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IP_MTU_DISCOVER",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.path_mtu.map(Value::PathMtu),
    validate: any_value,
    set: |socket, value| {
        let mode = value.path_mtu()?.raw();
        family::each(socket, &PATH_MTU_V4, &PATH_MTU_V6, |option| {
            option.set_number(socket, mode)
        })
    },
    read: |socket| {
        let option = family::own(socket, &PATH_MTU_V4, &PATH_MTU_V6)?;
        Ok(Value::PathMtu(PathMtu::of_raw(option.number(socket)?)))
    },
    explain: taken_or_refused,
    warn: no_warning,
};
