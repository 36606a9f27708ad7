use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{
    Attempt, MOST, Privilege, Sockets, Spec, no_warning, taken_or_refused, within,
};
use super::super::{Cause, HasTcp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::WINDOW_CLAMP;

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// The largest window announced to the peer, in bytes, however large the receive buffer.
    ///
    /// - Range: 1 to 2 147 483 647; the kernel keeps at least half of the smallest receive buffer, about 1 KiB.
    /// - Default: what the receive buffer allows. TCP only.
    /// - When: at any time; before connect or listen it also bounds the first window.
    /// - Privilege: none. Kernel: Linux 2.4.
    ///
    /// Source: tcp(7), `tcp_set_window_clamp` in `net/ipv4/tcp.c`.
    #[doc(alias = "TCP_WINDOW_CLAMP")]
    pub const fn window_clamp(mut self, bytes: u32) -> Self {
        self.requests.window_clamp = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_WINDOW_CLAMP",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.window_clamp.map(Value::Bytes),
    validate: |value| within(value, 1..=MOST, "the kernel takes 1 to 2147483647 bytes"),
    set: |socket, value| WINDOW_CLAMP.set_number(socket, value.bytes()?),
    read: |socket| WINDOW_CLAMP.number(socket).map(Value::Bytes),
    explain,
    warn: no_warning,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    match (attempt.refused, attempt.requested, attempt.effective) {
        (None, Value::Bytes(requested), Some(Value::Bytes(effective))) if effective > requested => {
            Some(Cause::KernelRule("it is the least the kernel keeps").into())
        }
        _ => taken_or_refused(attempt, environment),
    }
}
