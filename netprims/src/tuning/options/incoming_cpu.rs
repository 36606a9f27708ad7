use super::super::spec::{MOST, Privilege, Sockets, Spec, no_warning, taken_or_refused, within};
use super::super::{HasIp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::INCOMING_CPU;

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// The CPU whose packets this socket is to have, among the sockets of a group with
    /// [`reuse_port`](Self::reuse_port).
    ///
    /// - Range: 0 to 2 147 483 647; the kernel does not ask whether there is such a CPU.
    /// - Default: none. The kernel writes the CPU of the last packet over it on a socket that receives: on a
    ///   connection it is for reading.
    /// - When: before listen, or on a listener.
    /// - Privilege: none. Kernel: Linux 4.4; for TCP and UDP groups reliably since 6.2.
    ///
    /// Source: socket(7), `reuseport_update_incoming_cpu` in `net/core/sock_reuseport.c`.
    #[doc(alias = "SO_INCOMING_CPU")]
    pub const fn incoming_cpu(mut self, cpu: u32) -> Self {
        self.requests.incoming_cpu = Some(cpu);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_INCOMING_CPU",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.incoming_cpu.map(Value::Number),
    validate: |value| within(value, 0..=MOST, "a CPU has a number up to 2147483647"),
    set: |socket, value| INCOMING_CPU.set_number(socket, value.number()?),
    read: |socket| INCOMING_CPU.number(socket).map(Value::Number),
    explain: taken_or_refused,
    warn: no_warning,
};
