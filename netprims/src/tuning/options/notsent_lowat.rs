use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// How many bytes may wait unsent in the socket before it stops being writable.
    ///
    /// - Range: 0 to 4 294 967 295; 0 stands for the sysctl. Bytes in flight do not count: it bounds what has yet
    ///   to leave, and so how old data is when it leaves, and the memory a slow peer holds.
    /// - Default: `net.ipv4.tcp_notsent_lowat`, without limit unless set. TCP only.
    /// - When: at any time.
    /// - Privilege: none. Kernel: Linux 3.12.
    ///
    /// Source: `Documentation/networking/ip-sysctl.rst`.
    #[doc(alias = "TCP_NOTSENT_LOWAT")]
    pub const fn notsent_lowat(mut self, bytes: u32) -> Self {
        self.requests.notsent_lowat = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_NOTSENT_LOWAT",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.notsent_lowat.map(Value::Bytes),
    validate: any_value,
    set: |socket, value| socket.set_tcp_notsent_lowat(value.bytes()?),
    read: |socket| socket.tcp_notsent_lowat().map(Value::Bytes),
    explain: taken_or_refused,
    warn: no_warning,
};
