use std::time::Duration;

use io_uring::types::Timespec;

/// The linked timeout of a request: a request of its own, with a completion of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// There is none.
    Without,
    /// It is to be queued with what it limits.
    Ahead,
    /// Its completion is to come.
    Running,
    /// It has completed.
    Over {
        /// The time was up, and the request was to be cancelled for it.
        passed: bool,
    },
}

impl Limit {
    /// After its completion; `None` if none was to come.
    pub(super) fn after(self, result: i32) -> Option<Self> {
        // The kernel answers ECANCELED when the request was quicker. ETIME, and ENOENT and EALREADY where the request could
        // not be caught, mean that the time was up. Whatever else there is, as ENOMEM, is no word about time.
        let late = [-libc::ETIME, -libc::ENOENT, -libc::EALREADY];
        let passed = late.contains(&result);
        (self == Self::Running).then_some(Self::Over { passed })
    }

    pub(super) fn is_running(self) -> bool {
        self == Self::Running
    }

    /// For a request that is queued once more.
    pub(super) fn again(self) -> Self {
        match self {
            Self::Without => Self::Without,
            Self::Ahead | Self::Running | Self::Over { .. } => Self::Ahead,
        }
    }

    /// What a request's result is, if it was cancelled because the time was up.
    pub(super) fn judge<T>(self, result: Result<T, i32>) -> Result<T, i32> {
        match (self, result) {
            (Self::Over { passed: true }, Err(libc::ECANCELED)) => Err(libc::ETIMEDOUT),
            (_, result) => result,
        }
    }
}

/// A time as the kernel takes it. One of more than a hundred million years is that.
pub(super) fn timespec(time: Duration) -> Timespec {
    Timespec::from(time.min(Duration::from_secs(1 << 52)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::in_time(-libc::ECANCELED, Ok(1), Ok(1))]
    #[case::cancelled_by_the_user(-libc::ECANCELED, Err(libc::ECANCELED), Err(libc::ECANCELED))]
    #[case::too_late(-libc::ETIME, Err(libc::ECANCELED), Err(libc::ETIMEDOUT))]
    #[case::too_late_and_running(-libc::EALREADY, Err(libc::ECANCELED), Err(libc::ETIMEDOUT))]
    #[case::done_as_the_time_was_up(-libc::ENOENT, Ok(1), Ok(1))]
    #[case::not_measured(-libc::ENOMEM, Err(libc::ECANCELED), Err(libc::ECANCELED))]
    #[case::failed_as_the_time_was_up(-libc::ETIME, Err(libc::EPIPE), Err(libc::EPIPE))]
    fn the_limit_judges_what_was_cancelled(
        #[case] limit: i32,
        #[case] result: Result<u32, i32>,
        #[case] told: Result<u32, i32>,
    ) {
        assert_eq!(Limit::Running.after(limit).unwrap().judge(result), told);
    }

    #[test]
    fn without_a_limit_nothing_is_judged_and_no_completion_fits() {
        let cancelled: Result<(), i32> = Err(libc::ECANCELED);
        assert_eq!(Limit::Without.judge(cancelled), cancelled);
        assert_eq!(Limit::Without.after(-libc::ETIME), None);
        assert_eq!(Limit::Ahead.after(-libc::ETIME), None, "not queued yet");
        let over = Limit::Running.after(-libc::ETIME).unwrap();
        assert_eq!(over.after(-libc::ETIME), None, "a second one");
    }

    #[test]
    fn a_limit_begins_anew_with_its_request_and_none_begins() {
        let over = Limit::Running.after(-libc::ECANCELED).unwrap();
        assert_eq!(over.again(), Limit::Ahead);
        assert_eq!(Limit::Without.again(), Limit::Without);
    }
}
