use std::time::Duration;

use socket2::SockRef;

use super::super::environment::Environment;
use super::super::spec::{Granted, Privilege, Sockets, Spec, taken_or_refused, wrong_kind};
use super::super::{HasIp, Kind, Moment, Tuning, Value, Warning};
use crate::sys;

impl<K: Kind> Tuning<K>
where
    Self: HasIp,
{
    /// How long a blocking receive polls the device's queue before it sleeps. Zero turns it off.
    ///
    /// - Unit: whole microseconds, up to 2 147 483 647. It costs that much CPU time per idle receive.
    /// - Default: `net.core.busy_read`, which is 0 unless the administrator set it.
    /// - When: at any time. Works only if packets come from a device with NAPI, which the kernel knows once one has
    ///   come: on a connected socket without a NAPI id the report warns.
    /// - Privilege: none since Linux 6.4, though socket(7) says otherwise; before, CAP_NET_ADMIN in the first user
    ///   namespace to raise it.
    /// - Kernel: Linux 3.11, built with `CONFIG_NET_RX_BUSY_POLL`.
    ///
    /// Source: socket(7), `sk_setsockopt` in `net/core/sock.c`.
    #[doc(alias = "SO_BUSY_POLL")]
    pub const fn busy_poll(mut self, time: Duration) -> Self {
        self.requests.busy_poll = Some(time);
        self
    }
}

pub(super) static SPEC: Spec = Spec {
    name: "SO_BUSY_POLL",
    sockets: Sockets::Ip,
    earliest: Moment::Open,
    latest: Moment::Connected,
    privilege: Privilege::System,
    requested: |requests| requests.busy_poll.map(Value::Time),
    validate,
    set: |socket, value| match value {
        Value::Time(time) => {
            let micros = u32::try_from(time.as_micros()).map_err(|_| wrong_kind())?;
            socket.set_busy_poll(micros)
        }
        _ => Err(wrong_kind()),
    },
    read: |socket| {
        let micros = socket.busy_poll()?;
        Ok(Value::Time(Duration::from_micros(u64::from(micros))))
    },
    explain: taken_or_refused,
    warn,
};

fn validate(value: Value) -> Result<(), &'static str> {
    let Value::Time(time) = value else {
        return Ok(());
    };
    if i32::try_from(time.as_micros()).is_err() {
        return Err("the kernel takes at most 2147483647 microseconds");
    }
    if time.subsec_nanos() % 1000 != 0 {
        return Err("the kernel counts in whole microseconds");
    }
    Ok(())
}

fn warn(granted: &Granted<'_>, _: &dyn Environment) -> Vec<Warning> {
    let on = matches!(granted.effective, Some(Value::Time(time)) if !time.is_zero());
    if on && has_no_queue(granted.socket) {
        vec![Warning::NoNapi]
    } else {
        Vec::new()
    }
}

/// Only a connected socket can be said to have none: before, no packet has come that would name one.
fn has_no_queue(socket: &SockRef<'_>) -> bool {
    socket.peer_addr().is_ok() && matches!(sys::sockopt::incoming_napi_id(&**socket), Ok(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Duration::ZERO, true)]
    #[case(Duration::from_micros(50), true)]
    #[case(Duration::from_nanos(1500), false)]
    #[case(Duration::from_micros(2_147_483_647), true)]
    #[case(Duration::from_micros(2_147_483_648), false)]
    #[case(Duration::MAX, false)]
    fn takes_whole_microseconds_that_an_int_can_hold(#[case] time: Duration, #[case] valid: bool) {
        assert_eq!(validate(Value::Time(time)).is_ok(), valid);
    }
}
