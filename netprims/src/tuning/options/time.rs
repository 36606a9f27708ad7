//! What options that are times have in common.

use std::io;

use super::super::environment::Environment;
use super::super::spec::{Granted, MOST};
use super::super::{Value, Warning};

pub(super) fn milliseconds(value: Value) -> Result<(), &'static str> {
    match value.time() {
        Ok(time) if time.subsec_nanos() % 1_000_000 != 0 => {
            Err("the kernel counts in whole milliseconds")
        }
        Ok(time) if time.as_millis() > u128::from(MOST) => {
            Err("the kernel takes at most 2147483647 milliseconds")
        }
        _ => Ok(()),
    }
}

pub(super) fn seconds(value: Value) -> Result<(), &'static str> {
    match value.time() {
        Ok(time) if time.subsec_nanos() != 0 => Err("the kernel counts in whole seconds"),
        Ok(time) if time.as_secs() > u64::from(MOST) => {
            Err("the kernel takes at most 2147483647 seconds")
        }
        _ => Ok(()),
    }
}

pub(super) fn keepalive(value: Value) -> Result<(), &'static str> {
    match value.time().map(|time| time.as_secs()) {
        Ok(0 | 32_768..) => Err("the kernel takes 1 to 32767 seconds"),
        _ => seconds(value),
    }
}

/// A time that was validated, as the kernel wants it.
pub(super) fn whole_seconds(value: Value) -> io::Result<u32> {
    u32::try_from(value.time()?.as_secs()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// When and how often to probe says nothing where no probes are asked for.
pub(super) fn needs_keepalive(granted: &Granted<'_>, _: &dyn Environment) -> Vec<Warning> {
    match granted.socket.keepalive() {
        Ok(false) => vec![Warning::KeepaliveOff],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case(Duration::ZERO, true, true, false)]
    #[case(Duration::from_micros(1), false, false, false)]
    #[case(Duration::from_millis(1), true, false, false)]
    #[case(Duration::from_secs(1), true, true, true)]
    #[case(Duration::from_millis(1500), true, false, false)]
    #[case(Duration::from_secs(32_767), true, true, true)]
    #[case(Duration::from_secs(32_768), true, true, false)]
    #[case(Duration::from_millis(2_147_483_647), true, false, false)]
    #[case(Duration::from_millis(2_147_483_648), false, false, false)]
    #[case(Duration::from_secs(2_147_483_647), false, true, false)]
    #[case(Duration::from_secs(2_147_483_648), false, false, false)]
    #[case(Duration::MAX, false, false, false)]
    fn takes_what_the_kernel_counts(
        #[case] time: Duration,
        #[case] millis: bool,
        #[case] secs: bool,
        #[case] probe: bool,
    ) {
        let value = Value::Time(time);
        assert_eq!(milliseconds(value).is_ok(), millis);
        assert_eq!(seconds(value).is_ok(), secs);
        assert_eq!(keepalive(value).is_ok(), probe);
    }
}
