use super::super::spec::{Privilege, Sockets, Spec, no_warning, taken_or_refused, within};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::SYN_COUNT;

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// How often connect sends its first segment again before it gives up with `ETIMEDOUT`.
    ///
    /// - Range: 1 to 127. The waits grow: 1, 2, 4, … seconds; since Linux 6.5 the first few are a second each
    ///   (`tcp_syn_linear_timeouts` in `ip-sysctl.rst`).
    /// - Default: `net.ipv4.tcp_syn_retries`, 6: about two minutes. TCP only.
    /// - When: before connect.
    /// - Privilege: none. Kernel: Linux 2.4.
    ///
    /// Source: tcp(7).
    #[doc(alias = "TCP_SYNCNT")]
    pub const fn syn_count(mut self, retransmissions: u32) -> Self {
        self.requests.syn_count = Some(retransmissions);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_SYNCNT",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Bound,
    privilege: Privilege::None,
    requested: |requests| requests.syn_count.map(Value::Number),
    validate: |value| within(value, 1..=127, "the kernel takes 1 to 127 retransmissions"),
    set: |socket, value| SYN_COUNT.set_number(socket, value.number()?),
    read: |socket| SYN_COUNT.number(socket).map(Value::Number),
    explain: taken_or_refused,
    warn: no_warning,
};
