//! The clock of a device.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use crate::context::Context;
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::sys::{ContextHandle, Lacking};

/// The clock of a device, by which it stamps completions.
#[derive(Clone, Debug)]
pub struct DeviceClock {
    context: Arc<ContextHandle>,
    kilohertz: NonZeroU64,
    /// The bits that count.
    mask: u64,
}

impl Context {
    /// The device's clock.
    ///
    /// # Errors
    ///
    /// - [`Error::Unsupported`]: it has none, or its driver does not say how fast it ticks. So it is
    ///   with Soft-RoCE.
    /// - [`Error::Verb`].
    #[doc(alias = "hca_core_clock")]
    #[doc(alias = "ibv_query_device_ex")]
    pub fn clock(&self) -> Result<DeviceClock> {
        let extras = self.handle().query_extras().map_err(|errno| {
            verb_error(
                "ibv_query_device_ex",
                format!("of {}", self.device_name()),
                errno,
            )
        })?;
        let kilohertz = NonZeroU64::new(extras.core_clock_khz);
        Ok(DeviceClock {
            context: Arc::clone(self.handle()),
            kilohertz: kilohertz.ok_or_else(|| missing(self.handle(), Lacking::Device))?,
            mask: match extras.timestamp_mask {
                0 => u64::MAX,
                mask => mask,
            },
        })
    }
}

impl DeviceClock {
    /// How fast it ticks, in kHz.
    #[must_use]
    pub fn kilohertz(&self) -> NonZeroU64 {
        self.kilohertz
    }

    /// The bits of a timestamp that count; those above wrap.
    #[doc(alias = "completion_timestamp_mask")]
    #[must_use]
    pub fn mask(&self) -> u64 {
        self.mask
    }

    /// What it says now, in ticks.
    ///
    /// # Errors
    ///
    /// - [`Error::Unsupported`]: the provider cannot read it.
    /// - [`Error::Verb`].
    #[doc(alias = "ibv_query_rt_values_ex")]
    #[doc(alias = "IBV_VALUES_MASK_RAW_CLOCK")]
    pub fn now(&self) -> Result<u64> {
        let lacks = || missing(&self.context, Lacking::Library);
        match self.context.read_clock() {
            Ok(ticks) => ticks.ok_or_else(lacks),
            Err(errno) if errno.number() == libc::EOPNOTSUPP => Err(lacks()),
            Err(errno) => {
                let object = format!("of {}", self.context.device());
                Err(verb_error("ibv_query_rt_values_ex", object, errno))
            }
        }
    }

    /// The time from one tick to a later one, less than the clock takes to begin again.
    #[must_use]
    pub fn between(&self, earlier: u64, later: u64) -> Duration {
        let ticks = u128::from(later.wrapping_sub(earlier) & self.mask);
        let nanos = ticks * 1_000_000 / u128::from(self.kilohertz.get());
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }
}

fn missing(context: &ContextHandle, lacking: Lacking) -> Error {
    Error::Unsupported {
        feature: "clock that can be read",
        device: String::from(context.device()),
        lacking,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fake::{Extras, Fake};
    use rstest::rstest;

    fn clock(core_clock_khz: u64, timestamp_mask: u64) -> Result<DeviceClock> {
        let fake = Fake::new();
        fake.state().extras = Some(Extras {
            capabilities: 0,
            timestamp_mask,
            core_clock_khz,
        });
        fake.context().clock()
    }

    #[test]
    fn each_look_says_more() {
        let clock = clock(1_000, 0).unwrap();
        let (first, second) = (clock.now().unwrap(), clock.now().unwrap());
        assert_eq!(clock.between(first, second), Duration::from_micros(1));
    }

    #[rstest]
    #[case::nothing(7, 7, 0)]
    #[case::a_second(0, 156_250_000, 1_000_000_000)]
    #[case::a_tick_is_cut_to_whole_nanoseconds(0, 1, 6)]
    #[case::around(0xffff_ffff_fff0, 0x10, 204)]
    fn ticks_are_time(#[case] earlier: u64, #[case] later: u64, #[case] nanos: u64) {
        let clock = clock(156_250, (1 << 48) - 1).unwrap();
        assert_eq!(clock.between(earlier, later), Duration::from_nanos(nanos));
    }

    #[test]
    fn no_time_overflows() {
        let slow = clock(1, u64::MAX).unwrap();
        assert_eq!(slow.between(0, u64::MAX), Duration::MAX);
    }

    #[test]
    fn a_device_without_one_says_so() {
        let error = clock(0, 0).unwrap_err();
        let Error::Unsupported { lacking, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(*lacking, Lacking::Device);
        assert!(
            error.to_string().starts_with("fake0 has no clock"),
            "{error}"
        );
    }
}
