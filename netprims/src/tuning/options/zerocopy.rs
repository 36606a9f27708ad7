use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{HasIp, Kind, Moment, Tuning, Value};
use crate::sys::sockopt::ZEROCOPY;

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// Whether sends may ask with `MSG_ZEROCOPY` that the kernel takes the pages of the program's buffer instead of
    /// a copy.
    ///
    /// - Default: off. It changes nothing by itself; a send that uses it must leave its buffer alone until the
    ///   error queue says that the kernel is done. A [`ZeroCopySender`](crate::zerocopy::ZeroCopySender) sees to that,
    ///   and turns the option on itself: leave it off for one, and alone afterwards. Turned off and on again, its sends
    ///   between were not numbered, and it gives later buffers back before the kernel is done with them.
    /// - When: at any time before such a send. TCP and UDP.
    /// - Privilege: none. Kernel: Linux 4.14 for TCP, 5.0 for UDP.
    ///
    /// Source: `Documentation/networking/msg_zerocopy.rst`.
    #[doc(alias = "SO_ZEROCOPY")]
    pub const fn zerocopy(mut self, on: bool) -> Self {
        self.requests.zerocopy = Some(on);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_ZEROCOPY",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::None,
    requested: |requests| requests.zerocopy.map(Value::Flag),
    validate: any_value,
    set: |socket, value| ZEROCOPY.set_flag(socket, value.flag()?),
    read: |socket| ZEROCOPY.flag(socket).map(Value::Flag),
    explain: taken_or_refused,
    warn: no_warning,
};
