use std::time::Duration;

use crate::sys::epoll::Params;
use crate::{Error, Result};

/// How an epoll instance polls network devices while it waits. A plain value: `const`-buildable, comparable.
///
/// ```
/// use std::time::Duration;
/// use netprims::fd::BusyPoll;
///
/// const POLL: BusyPoll = BusyPoll::new(Duration::from_micros(50)).budget(16);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusyPoll {
    time: Duration,
    budget: u16,
    prefer: bool,
}

impl BusyPoll {
    /// For how long to poll before sleeping, in whole microseconds, at most 2³¹−1 of them. Zero, a new instance's value,
    /// leaves it to the sysctl `net.core.busy_poll`.
    #[doc(alias = "busy_poll_usecs")]
    pub const fn new(time: Duration) -> Self {
        Self {
            time,
            budget: 0,
            prefer: false,
        }
    }

    /// How many packets to take from a device at a time. Above 64 needs CAP_NET_ADMIN. Default: 0, which stands for
    /// the kernel's own choice, 8.
    #[doc(alias = "busy_poll_budget")]
    pub const fn budget(mut self, packets: u16) -> Self {
        self.budget = packets;
        self
    }

    /// Whether the device's interrupts stay off while it is polled often enough: for use with the device's
    /// `gro_flush_timeout` and `napi_defer_hard_irqs`. Default: no.
    #[doc(alias = "prefer_busy_poll")]
    pub const fn prefer(mut self, prefer: bool) -> Self {
        self.prefer = prefer;
        self
    }

    /// For how long it polls.
    pub const fn time(&self) -> Duration {
        self.time
    }

    /// How many packets it takes at a time; 0 for the kernel's own choice.
    pub const fn packets(&self) -> u16 {
        self.budget
    }

    /// Whether interrupts stay off.
    pub const fn is_preferred(&self) -> bool {
        self.prefer
    }

    pub(super) fn raw(self) -> Result<Params> {
        let invalid = |reason| Error::InvalidValue {
            option: "busy_poll_usecs",
            value: format!("{:?}", self.time),
            reason,
        };
        if self.time.subsec_nanos() % 1000 != 0 {
            return Err(invalid("it counts whole microseconds"));
        }
        let micros = i32::try_from(self.time.as_micros())
            .map_err(|_| invalid("at most 2147483647 microseconds"))?;
        Ok(Params {
            busy_poll_usecs: micros.unsigned_abs(),
            busy_poll_budget: self.budget,
            prefer_busy_poll: u8::from(self.prefer),
            pad: 0,
        })
    }

    pub(super) fn from_raw(raw: Params) -> Self {
        Self {
            time: Duration::from_micros(raw.busy_poll_usecs.into()),
            budget: raw.busy_poll_budget,
            prefer: raw.prefer_busy_poll != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(Duration::from_nanos(1))]
    #[case(Duration::from_nanos(1_999))]
    #[case(Duration::from_micros(1 << 31))]
    #[case(Duration::MAX)]
    fn a_time_the_kernel_cannot_take_is_refused(#[case] time: Duration) {
        let error = BusyPoll::new(time).raw().unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(micros in 0..=0x7fff_ffff_u64, budget: u16, prefer: bool) {
            let value = BusyPoll::new(Duration::from_micros(micros)).budget(budget).prefer(prefer);
            prop_assert_eq!(BusyPoll::from_raw(value.raw().unwrap()), value);
            let told = (value.time(), value.packets(), value.is_preferred());
            prop_assert_eq!(told, (Duration::from_micros(micros), budget, prefer));
        }
    }
}
