use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};
use super::family;
use crate::sys::sockopt::{ERRORS_V4, ERRORS_V6};

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Whether errors that routers and peers report (ICMP) are kept, with the packet they are about, in the
    /// socket's error queue.
    ///
    /// - Default: off. On TCP errors then show at once, without waiting whether they pass.
    /// - On an IPv6 socket both `IPV6_RECVERR` and `IP_RECVERR` are set, the latter for peers that are reached over
    ///   IPv4.
    /// - A message stays in the error queue until somebody reads it there (`MSG_ERRQUEUE`), and counts against the
    ///   receive buffer as long: if nobody does, the socket comes to drop what it receives. In this crate only a
    ///   [`ZeroCopySender`](crate::zerocopy::ZeroCopySender) reads it.
    /// - When: at any time.
    /// - Privilege: none. Kernel: Linux 2.2.
    ///
    /// Source: ip(7), ipv6(7).
    #[doc(alias = "IP_RECVERR")]
    #[doc(alias = "IPV6_RECVERR")]
    #[doc(alias = "MSG_ERRQUEUE")]
    pub const fn receive_errors(mut self, on: bool) -> Self {
        self.requests.receive_errors = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "IP_RECVERR",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.receive_errors.map(Value::Flag),
    validate: any_value,
    set: |socket, value| {
        let on = value.flag()?;
        family::each(socket, &ERRORS_V4, &ERRORS_V6, |option| {
            option.set_flag(socket, on)
        })
    },
    read: |socket| {
        let option = family::own(socket, &ERRORS_V4, &ERRORS_V6)?;
        option.flag(socket).map(Value::Flag)
    },
    explain: taken_or_refused,
    warn: no_warning,
};
