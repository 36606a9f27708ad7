use std::io;

use super::super::spec::{Privilege, Sockets, Spec, any_value, no_warning, taken_or_refused};
use super::super::{Clock, HasUdp, Kind, Moment, Tuning, TxTime, Value};
use crate::sys::sockopt::TXTIME;

impl<K: Kind> Tuning<K>
where
    Self: HasUdp,
{
    /// That packets carry the time at which they are to leave, and how it is meant.
    ///
    /// - Default: off. It needs a queueing discipline that heeds it: `fq` with the monotonic clock, `etf` with TAI.
    /// - When: at any time before the first such packet. UDP and raw sockets; TCP takes it and has no way to give
    ///   times.
    /// - Privilege: none for the monotonic clock since Linux 5.8; CAP_NET_ADMIN over the network namespace for the
    ///   others, and before.
    /// - Kernel: Linux 4.19. It answers the same for the realtime clock without flags as for an option that is off: the
    ///   report says then that it cannot be read.
    ///
    /// Source: tc-etf(8), tc-fq(8), `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_TXTIME")]
    #[doc(alias = "SCM_TXTIME")]
    #[doc(alias = "sock_txtime")]
    pub const fn txtime(mut self, time: TxTime) -> Self {
        self.requests.txtime = Some(time);
        self
    }
}

const REALTIME: TxTime = TxTime::new(Clock::Realtime);

pub(super) static SPEC: Spec = Spec {
    name: "SO_TXTIME",
    sockets: Sockets::Udp,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::NET_ADMIN,
    requested: |requests| requests.txtime.map(Value::TxTime),
    validate: any_value,
    set: |socket, value| TXTIME.set(socket, value.tx_time()?.raw()),
    read: |socket| match TxTime::of_raw(TXTIME.get(socket)?) {
        // Or off.
        REALTIME => Err(io::ErrorKind::InvalidData.into()),
        time => Ok(Value::TxTime(time)),
    },
    explain: taken_or_refused,
    warn: no_warning,
};
