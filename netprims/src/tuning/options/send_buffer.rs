use super::super::difference::Explanation;
use super::super::environment::Environment;
use super::super::spec::{Attempt, Privilege, Sockets, Spec, no_warning};
use super::super::{Kind, Moment, Tuning, Value};
use super::buffer::{self, Clamp};

const CLAMP: Clamp = Clamp {
    sysctl: "net.core.wmem_max",
    force: "SO_SNDBUFFORCE",
};

impl<K: Kind> Tuning<K> {
    /// The send buffer, in bytes.
    ///
    /// - Range: 1 to 1 073 741 823. The kernel cuts it at `net.core.wmem_max`, doubles it for its own bookkeeping, and
    ///   keeps a minimum of about 4.5 KiB. The report shows the doubled value as effective; doubling is no difference.
    /// - Default: for TCP, autotuning between the numbers of `net.ipv4.tcp_wmem`, which setting the option turns off.
    /// - When: at any time. Accepted sockets inherit it from the listener.
    /// - Privilege: none up to `wmem_max`. Kernel: any.
    ///
    /// Source: socket(7), tcp(7), `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_SNDBUF")]
    pub const fn send_buffer(mut self, bytes: u32) -> Self {
        self.requests.send_buffer = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_SNDBUF",
    sockets: Sockets::All,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.send_buffer.map(Value::Bytes),
    validate: buffer::validate,
    set: |socket, value| socket.set_send_buffer_size(buffer::size(value.bytes()?)),
    read: |socket| socket.send_buffer_size().and_then(buffer::bytes),
    explain,
    warn: no_warning,
};

fn explain(attempt: &Attempt, environment: &dyn Environment) -> Option<Explanation> {
    buffer::explain(attempt, environment, &CLAMP)
}
