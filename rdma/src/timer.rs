//! Times that packets carry as small numbers.

use std::time::Duration;

/// How long to wait for an acknowledgement before sending again.
///
/// Devices know 31 steps, each double the one before, from 8.2 µs to 2.4 hours. They may wait up to
/// four times longer.
/// Source: InfiniBand Architecture Specification, 9.7.6.1.3 (Local ACK Timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AckTimeout(u8);

impl AckTimeout {
    /// 67 ms: the step that rdma-core's programs use, and the default.
    pub const DEFAULT: AckTimeout = AckTimeout(14);

    /// The shortest step that is not shorter than `duration`; the longest one when all are.
    #[must_use]
    pub fn at_least(duration: Duration) -> Self {
        (1..31)
            .map(AckTimeout)
            .find(|step| step.duration() >= duration)
            .unwrap_or(AckTimeout(31))
    }

    /// How long that is.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_nanos(4096 << self.0)
    }

    /// The number of the step, as C has it.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }
}

/// How long the peer is asked to wait when it sends before a receive is posted.
///
/// Devices know 32 steps from 10 µs to 655 ms.
/// Source: InfiniBand Architecture Specification, table 46 (RNR NAK timer field).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RnrTimer(u8);

/// In units of 10 µs, from step 1 on; step 0 is the longest.
const RNR_STEPS: [u32; 31] = [
    1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048,
    3072, 4096, 6144, 8192, 12_288, 16_384, 24_576, 32_768, 49_152,
];

impl RnrTimer {
    /// 0.64 ms: the step that rdma-core's programs use, and the default.
    pub const DEFAULT: RnrTimer = RnrTimer(12);

    /// The shortest step that is not shorter than `duration`; the longest one when all are.
    #[must_use]
    pub fn at_least(duration: Duration) -> Self {
        (1..32)
            .map(RnrTimer)
            .find(|step| step.duration() >= duration)
            .unwrap_or(RnrTimer(0))
    }

    /// How long that is.
    #[must_use]
    pub fn duration(self) -> Duration {
        let step = self
            .0
            .checked_sub(1)
            .and_then(|step| RNR_STEPS.get(usize::from(step)));
        Duration::from_micros(10) * step.copied().unwrap_or(65_536)
    }

    /// The number of the step, as C has it.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 1)]
    #[case(8_192, 1)]
    #[case(8_193, 2)]
    #[case(67_108_864, 14)]
    #[case(u64::MAX, 31)]
    fn ack_timeout_rounds_up(#[case] nanos: u64, #[case] code: u8) {
        assert_eq!(
            AckTimeout::at_least(Duration::from_nanos(nanos)).code(),
            code
        );
    }

    #[rstest]
    #[case(0, 1)]
    #[case(10, 1)]
    #[case(11, 2)]
    #[case(640, 12)]
    #[case(491_520, 31)]
    #[case(491_521, 0)]
    #[case(1_000_000, 0)]
    fn rnr_timer_rounds_up_to_the_step_named_zero(#[case] micros: u64, #[case] code: u8) {
        let timer = RnrTimer::at_least(Duration::from_micros(micros));
        assert_eq!(timer.code(), code);
    }

    #[test]
    fn defaults_are_those_of_rdma_core() {
        assert_eq!(
            AckTimeout::DEFAULT.duration(),
            Duration::from_nanos(67_108_864)
        );
        assert_eq!(RnrTimer::DEFAULT.duration(), Duration::from_micros(640));
        assert_eq!(RnrTimer(0).duration(), Duration::from_micros(655_360));
    }
}
