use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{Attempt, Privilege, Sockets, Spec, no_warning, taken_or_refused};
use super::super::{Kind, Moment, Tuning, Value};
use super::buffer;
use crate::sys::sockopt::SEND_BUFFER_FORCE;

impl<K: Kind> Tuning<K> {
    /// The send buffer, in bytes, whatever `net.core.wmem_max` says.
    ///
    /// - Range: 1 to 1 073 741 823. The kernel doubles it and keeps a minimum, as for
    ///   [`send_buffer`](Self::send_buffer); asking for both leaves this one in effect.
    /// - Default, when: as for [`send_buffer`](Self::send_buffer). It turns autotuning off too.
    /// - Privilege: CAP_NET_ADMIN in the first user namespace.
    /// - Kernel: Linux 2.6.14.
    ///
    /// Source: socket(7), `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_SNDBUFFORCE")]
    pub const fn send_buffer_force(mut self, bytes: u32) -> Self {
        self.requests.send_buffer_force = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_SNDBUFFORCE",
    sockets: Sockets::All,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::System,
    requested: |requests| requests.send_buffer_force.map(Value::Bytes),
    validate: buffer::validate,
    set: |socket, value| SEND_BUFFER_FORCE.set_number(socket, value.bytes()?),
    read: |socket| socket.send_buffer_size().and_then(buffer::bytes),
    explain,
    warn: no_warning,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    buffer::forced(attempt).unwrap_or_else(|| taken_or_refused(attempt, environment))
}
