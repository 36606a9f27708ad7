use std::time::Duration;

use super::super::spec::{Privilege, Sockets, Spec, no_warning, taken_or_refused};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};
use super::time;

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// How long close waits for what was written to reach the peer.
    ///
    /// - Unit: whole seconds, up to 2 147 483 647. **Zero makes close drop what is unsent and reset the
    ///   connection.** A longer time makes close block, on a non-blocking socket too.
    /// - Default: close returns at once and the kernel goes on in the background.
    /// - When: at any time. Accepted sockets inherit it from the listener.
    /// - Privilege: none. Kernel: any.
    ///
    /// Source: socket(7), `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_LINGER")]
    pub const fn linger(mut self, time: Duration) -> Self {
        self.requests.linger = Some(time);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_LINGER",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.linger.map(Value::Time),
    validate: time::seconds,
    set: |socket, value| socket.set_linger(Some(value.time()?)),
    read: |socket| Ok(socket.linger()?.map_or(Value::Flag(false), Value::Time)),
    explain: taken_or_refused,
    warn: no_warning,
};
