use super::super::spec::{Privilege, Sockets, Spec, no_warning, taken_or_refused, within};
use super::super::{HasTcp, Kind, Moment, Tuning, Value};

impl<K: Kind> Tuning<K>
where
    Self: HasTcp,
{
    /// The largest segment this end sends and announces, in bytes.
    ///
    /// - Range: 88 to 32 767. The interface's MTU bounds it as well.
    /// - Default: from the interface's MTU, and what the path turns out to take. TCP only.
    /// - When: before connect or listen: it is agreed in the handshake. Accepted sockets inherit it.
    /// - Privilege: none. Kernel: any.
    ///
    /// Source: tcp(7), `tcp_sock_set_maxseg` in `net/ipv4/tcp.c`.
    #[doc(alias = "TCP_MAXSEG")]
    pub const fn max_segment(mut self, bytes: u32) -> Self {
        self.requests.max_segment = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "TCP_MAXSEG",
    sockets: Sockets::Tcp,
    earliest: Moment::Open,
    latest: Moment::Listening,
    privilege: Privilege::None,
    requested: |requests| requests.max_segment.map(Value::Bytes),
    validate: |value| {
        within(
            value,
            88..=32767,
            "the kernel takes segments of 88 to 32767 bytes",
        )
    },
    set: |socket, value| socket.set_tcp_mss(value.bytes()?),
    read: |socket| socket.tcp_mss().map(Value::Bytes),
    explain: taken_or_refused,
    warn: no_warning,
};
