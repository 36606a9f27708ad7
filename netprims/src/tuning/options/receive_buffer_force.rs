use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{Attempt, Privilege, Sockets, Spec, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};
use super::{buffer, receive_buffer};
use crate::sys::sockopt::RECEIVE_BUFFER_FORCE;

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// The receive buffer, in bytes, whatever `net.core.rmem_max` says.
    ///
    /// - Range: 1 to 1 073 741 823. The kernel doubles it and keeps a minimum, as for
    ///   [`receive_buffer`](Self::receive_buffer); asking for both leaves this one in effect.
    /// - Default, when: as for [`receive_buffer`](Self::receive_buffer). It turns autotuning off too.
    /// - Privilege: CAP_NET_ADMIN in the first user namespace.
    /// - Kernel: Linux 2.6.14.
    ///
    /// Source: socket(7), `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_RCVBUFFORCE")]
    pub const fn receive_buffer_force(mut self, bytes: u32) -> Self {
        self.requests.receive_buffer_force = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_RCVBUFFORCE",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::System,
    requested: |requests| requests.receive_buffer_force.map(Value::Bytes),
    validate: buffer::validate,
    set: |socket, value| RECEIVE_BUFFER_FORCE.set_number(socket, value.bytes()?),
    read: |socket| socket.recv_buffer_size().and_then(buffer::bytes),
    explain,
    warn: |granted, environment| receive_buffer::lost("SO_RCVBUFFORCE", granted, environment),
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    buffer::forced(attempt).unwrap_or_else(|| taken_or_refused(attempt, environment))
}
