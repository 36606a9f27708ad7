use super::abi::{Counters, NO_DEVICE, QueryEvents, REGISTER_QUEUE};
use super::provider::Provider;
use super::refill::COUNTERS_ROOM;

/// What the kernel says that it knows of zero-copy receive. One before Linux 6.18 says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Support {
    /// Whether it knows the registration of queues (`IORING_REGISTER_ZCRX_IFQ`), if it tells.
    pub(crate) queues: Option<bool>,
    /// Whether it says that it knows queues without a device (`ZCRX_REG_NODEV`).
    pub(crate) no_device: bool,
    /// Whether it says that it flushes refill rings (`ZCRX_CTRL_FLUSH_RQ`).
    pub(crate) flush: bool,
    /// Whether it says that it counts what it copies.
    pub(crate) counters: bool,
}

impl Support {
    pub(crate) fn ask(provider: &mut impl Provider) -> Self {
        let Ok(operations) = provider.operations() else {
            return Self::default();
        };
        // A kernel that does not know a question does not know what it is about.
        let queues = provider.queues().unwrap_or_default();
        let events = provider.events().unwrap_or_default();
        Self {
            queues: Some(operations.registers > REGISTER_QUEUE),
            no_device: queues.register_flags & u64::from(NO_DEVICE) != 0,
            flush: queues.controls > 0,
            counters: can_count(&events),
        }
    }
}

/// Whether the statistics have what this crate reads, and fit in the room it has for them.
fn can_count(events: &QueryEvents) -> bool {
    let len = usize::try_from(events.counters_len).unwrap_or(0);
    let alignment = usize::try_from(events.counters_alignment).unwrap_or(0);
    (size_of::<Counters>()..=COUNTERS_ROOM).contains(&len)
        && alignment.is_power_of_two()
        && alignment <= COUNTERS_ROOM
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_kernel_that_cannot_be_asked_has_nothing_to_rely_on() {
        let mut kernel = Fake::new();
        kernel.operations = None;
        assert_eq!(Support::ask(&mut kernel), Support::default());
    }

    #[test]
    fn a_kernel_that_knows_all_says_so() {
        let support = Support::ask(&mut Fake::new());
        let all = Support {
            queues: Some(true),
            no_device: true,
            flush: true,
            counters: true,
        };
        assert_eq!(support, all);
    }

    #[test]
    fn a_kernel_that_knows_queues_and_no_more_says_so() {
        let mut kernel = Fake::new();
        kernel.queues = None;
        kernel.events = None;
        let support = Support::ask(&mut kernel);
        let some = Support {
            queues: Some(true),
            ..Support::default()
        };
        assert_eq!(support, some);
    }

    #[rstest]
    #[case::as_they_are(16, 8, true)]
    #[case::grown(64, 64, true)]
    #[case::grown_too_far(65, 8, false)]
    #[case::too_short(8, 8, false)]
    #[case::aligned_too_much(16, 128, false)]
    #[case::aligned_strangely(16, 12, false)]
    #[case::unknown(0, 0, false)]
    fn statistics_are_asked_for_where_they_fit(
        #[case] counters_len: u32,
        #[case] counters_alignment: u32,
        #[case] want: bool,
    ) {
        let events = QueryEvents {
            counters_len,
            counters_alignment,
            ..QueryEvents::default()
        };
        assert_eq!(can_count(&events), want);
    }
}
