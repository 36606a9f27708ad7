use super::super::environment::Environment;
use super::super::spec::{Granted, MOST, Privilege, Sockets, Spec, within};
use super::super::{HasTcp, Kind, Moment, Tuning, Value, Warning};
use super::somaxconn;
use crate::sys::sockopt::FASTOPEN;

const FASTOPEN_ALLOWED: &str = "net.ipv4.tcp_fastopen";

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// How many connections may wait whose handshake, having come with data, is not complete.
    ///
    /// - Range: 0 to 2 147 483 647; the kernel cuts it at `net.core.somaxconn`. 0 turns it off.
    /// - Default: off. It has an effect only if `net.ipv4.tcp_fastopen` allows servers (2 is in it), of which the
    ///   report warns. TCP only.
    /// - When: before listen, or on a listener.
    /// - Privilege: none. Kernel: Linux 3.7; in 3.6, which tcp(7) names, only clients have it.
    ///
    /// Source: tcp(7), RFC 7413, `fastopen_queue_tune` in `include/linux/tcp.h`.
    #[doc(alias = "TCP_FASTOPEN")]
    pub const fn fastopen(mut self, connections: u32) -> Self {
        self.requests.fastopen = Some(connections);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_FASTOPEN",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Listening,
    privilege: Privilege::None,
    requested: |requests| requests.fastopen.map(Value::Number),
    validate: |value| {
        within(
            value,
            0..=MOST,
            "the kernel takes at most 2147483647 connections",
        )
    },
    set: |socket, value| FASTOPEN.set_number(socket, value.number()?),
    read: |socket| FASTOPEN.number(socket).map(Value::Number),
    explain: somaxconn::explain,
    warn,
};

fn warn(granted: &Granted<'_>, environment: &dyn Environment) -> Vec<Warning> {
    let on = matches!(granted.effective, Some(Value::Number(queue)) if queue > 0);
    match environment.number(FASTOPEN_ALLOWED) {
        Ok(value) if on && value & 2 == 0 => vec![Warning::WithoutEffect {
            option: "TCP_FASTOPEN",
            sysctl: FASTOPEN_ALLOWED,
            value: value.to_string(),
            reason: "it does not allow servers: 2 must be in it",
        }],
        _ => Vec::new(),
    }
}
