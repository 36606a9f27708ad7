use super::super::spec::{MOST, Privilege, Sockets, Spec, no_warning, taken_or_refused, within};
use super::super::{Kind, Moment, Tuning, Value};
use crate::sys::sockopt::PEEK_OFFSET;

impl<K: Kind> Tuning<K> {
    /// Where the next peek (`MSG_PEEK`) begins, in bytes from the front of the queue. Peeking then moves it on,
    /// receiving moves it back.
    ///
    /// - Range: 0 to 2 147 483 647.
    /// - Default: off: each peek begins at the front.
    /// - When: at any time.
    /// - Privilege: none. Kernel: Linux 3.4 for Unix sockets, 4.7 for UDP, 6.10 for TCP over IPv4, 6.12 over IPv6.
    ///
    /// Source: socket(7).
    #[doc(alias = "SO_PEEK_OFF")]
    pub const fn peek_offset(mut self, bytes: u32) -> Self {
        self.requests.peek_offset = Some(bytes);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_PEEK_OFF",
    sockets: Sockets::All,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.peek_offset.map(Value::Bytes),
    validate: |value| within(value, 0..=MOST, "the kernel takes at most 2147483647 bytes"),
    set: |socket, value| PEEK_OFFSET.set_number(socket, value.bytes()?),
    read: |socket| {
        // Off is -1.
        let offset = PEEK_OFFSET.number(socket)?;
        Ok(i32::try_from(offset).map_or(Value::Flag(false), |_| Value::Bytes(offset)))
    },
    explain: taken_or_refused,
    warn: no_warning,
};
