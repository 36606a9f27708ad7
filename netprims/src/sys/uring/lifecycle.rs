//! What a completion means for a send. Pure.
//!
//! A zero-copy send has one completion, or two: the first with the result, and a notification that the memory is free
//! **if and only if** the first carries `IORING_CQE_F_MORE`. That holds for errors too. A plain send has one.

use super::kernel::Completion;

/// Where a send is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No completion yet.
    Issued { zero_copy: bool },
    /// The result is known, the kernel still reads the memory.
    Sent { bytes: u32 },
    /// It failed, the notification is still to come.
    Failed,
    /// The socket cannot send without copying; the notification is still to come, then it is sent plainly.
    Refused,
    /// The kernel has finished; the result was told, the release was not.
    Done { bytes: u32, usage: Usage },
}

/// What became of the bytes of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Usage {
    /// The device read them from the buffer.
    ZeroCopied,
    /// The kernel copied them: the send was plain, the socket's family or protocol needs a copy, or the packet went to
    /// a local receiver (loopback and veth always copy).
    Copied,
    /// Nothing was sent.
    NotSent,
    /// The kernel does not tell (Linux 6.0).
    Unknown,
}

/// What to do about a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It fits no send in this phase. Ignore it.
    Stray,
    /// Tell the result.
    Result(Result<u32, i32>),
    /// Tell the result; the memory is free as well.
    ResultAndRelease(Result<u32, i32>),
    /// The memory is free.
    Release,
    /// Send again, plainly.
    SendPlainly,
    /// Nothing yet.
    Wait,
}

impl Phase {
    /// Whether the kernel may still read the memory.
    pub(super) fn in_kernel(self) -> bool {
        !matches!(self, Self::Done { .. })
    }

    /// The phase after a completion, and what to do. `len` is what was to be sent.
    pub(super) fn after(
        self,
        completion: &Completion,
        len: u32,
        reports_usage: bool,
    ) -> (Self, Step) {
        if completion.notification {
            return self.after_notification(completion, reports_usage);
        }
        let Self::Issued { zero_copy } = self else {
            return (self, Step::Stray);
        };
        // A kernel that claims more than it was given is not believed.
        let result = u32::try_from(completion.result)
            .map(|bytes| bytes.min(len))
            .map_err(|_| completion.result.saturating_neg());
        if zero_copy && result == Err(libc::EOPNOTSUPP) {
            return if completion.more {
                (Self::Refused, Step::Wait)
            } else {
                (self, Step::SendPlainly)
            };
        }
        match (result, completion.more) {
            (Ok(bytes), true) => (Self::Sent { bytes }, Step::Result(result)),
            (Err(_), true) => (Self::Failed, Step::Result(result)),
            // Without a notification nothing was left in the buffer: the bytes were copied.
            (Ok(bytes), false) => (
                Self::Done {
                    bytes,
                    usage: Usage::Copied,
                },
                Step::ResultAndRelease(result),
            ),
            (Err(_), false) => (
                Self::Done {
                    bytes: 0,
                    usage: Usage::NotSent,
                },
                Step::ResultAndRelease(result),
            ),
        }
    }

    fn after_notification(self, completion: &Completion, reports_usage: bool) -> (Self, Step) {
        // No notification has a successor. Whatever this is, the memory is not free on its word.
        if completion.more {
            return (self, Step::Stray);
        }
        match self {
            Self::Sent { bytes } => {
                let usage = if reports_usage {
                    usage(completion.result)
                } else {
                    Usage::Unknown
                };
                (Self::Done { bytes, usage }, Step::Release)
            }
            // What the notification of a failed send says about copying means nothing.
            Self::Failed => (
                Self::Done {
                    bytes: 0,
                    usage: Usage::NotSent,
                },
                Step::Release,
            ),
            Self::Refused => (self, Step::SendPlainly),
            Self::Issued { .. } | Self::Done { .. } => (self, Step::Stray),
        }
    }
}

/// `IORING_NOTIF_USAGE_ZC_COPIED` is bit 31. Source: `include/uapi/linux/io_uring.h`.
fn usage(result: i32) -> Usage {
    match result {
        0 => Usage::ZeroCopied,
        i32::MIN => Usage::Copied,
        _ => Usage::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const ZC: Phase = Phase::Issued { zero_copy: true };
    const PLAIN: Phase = Phase::Issued { zero_copy: false };
    const UNSUPPORTED: i32 = -libc::EOPNOTSUPP;

    fn first(result: i32, more: bool) -> Completion {
        Completion {
            user_data: 0,
            result,
            more,
            notification: false,
        }
    }

    fn notification(result: i32) -> Completion {
        Completion {
            user_data: 0,
            result,
            more: false,
            notification: true,
        }
    }

    fn done(bytes: u32, usage: Usage) -> Phase {
        Phase::Done { bytes, usage }
    }

    #[rstest]
    #[case::sent(ZC, first(100, true), Phase::Sent { bytes: 100 }, Step::Result(Ok(100)))]
    #[case::short(ZC, first(7, true), Phase::Sent { bytes: 7 }, Step::Result(Ok(7)))]
    #[case::more_than_given(ZC, first(101, true), Phase::Sent { bytes: 100 }, Step::Result(Ok(100)))]
    #[case::failed_with_notification(ZC, first(-32, true), Phase::Failed, Step::Result(Err(32)))]
    #[case::failed_at_once(ZC, first(-22, false), done(0, Usage::NotSent), Step::ResultAndRelease(Err(22)))]
    #[case::least_result(ZC, first(i32::MIN, true), Phase::Failed, Step::Result(Err(i32::MAX)))]
    #[case::sent_without_notification(
        ZC,
        first(100, false),
        done(100, Usage::Copied),
        Step::ResultAndRelease(Ok(100))
    )]
    #[case::plain(
        PLAIN,
        first(100, false),
        done(100, Usage::Copied),
        Step::ResultAndRelease(Ok(100))
    )]
    #[case::plain_failed(PLAIN, first(-32, false), done(0, Usage::NotSent), Step::ResultAndRelease(Err(32)))]
    #[case::refused(ZC, first(UNSUPPORTED, false), ZC, Step::SendPlainly)]
    #[case::refused_with_notification(ZC, first(UNSUPPORTED, true), Phase::Refused, Step::Wait)]
    #[case::refused_then_free(
        Phase::Refused,
        notification(i32::MIN),
        Phase::Refused,
        Step::SendPlainly
    )]
    #[case::plain_send_refused(
        PLAIN,
        first(UNSUPPORTED, false),
        done(0, Usage::NotSent),
        Step::ResultAndRelease(Err(libc::EOPNOTSUPP))
    )]
    #[case::zero_copied(Phase::Sent { bytes: 9 }, notification(0), done(9, Usage::ZeroCopied), Step::Release)]
    #[case::copied(Phase::Sent { bytes: 9 }, notification(i32::MIN), done(9, Usage::Copied), Step::Release)]
    #[case::new_usage(Phase::Sent { bytes: 9 }, notification(4), done(9, Usage::Unknown), Step::Release)]
    #[case::usage_of_a_failed_send_lies(
        Phase::Failed,
        notification(0),
        done(0, Usage::NotSent),
        Step::Release
    )]
    #[case::notification_before_result(ZC, notification(0), ZC, Step::Stray)]
    #[case::second_result(Phase::Sent { bytes: 9 }, first(9, true), Phase::Sent { bytes: 9 }, Step::Stray)]
    #[case::second_notification(
        done(9, Usage::Copied),
        notification(0),
        done(9, Usage::Copied),
        Step::Stray
    )]
    #[case::result_when_done(
        done(9, Usage::Copied),
        first(9, false),
        done(9, Usage::Copied),
        Step::Stray
    )]
    fn follows_the_completions(
        #[case] phase: Phase,
        #[case] completion: Completion,
        #[case] next: Phase,
        #[case] step: Step,
    ) {
        assert_eq!(phase.after(&completion, 100, true), (next, step));
    }

    #[test]
    fn a_kernel_that_does_not_report_usage_leaves_it_unknown() {
        let (phase, _) = Phase::Sent { bytes: 9 }.after(&notification(0), 9, false);
        assert_eq!(phase, done(9, Usage::Unknown));
    }

    proptest! {
        /// However confused the kernel is: after a `more` the memory stays in the kernel until a notification comes,
        /// and the release is told at most once.
        #[test]
        fn memory_is_released_once_and_not_before_the_last_completion(
            zero_copy: bool,
            script in prop::collection::vec((any::<i32>(), any::<bool>(), any::<bool>()), 0..12),
        ) {
            let mut phase = Phase::Issued { zero_copy };
            let mut releases = 0;
            for (result, more, notification) in script {
                let completion = Completion { user_data: 0, result, more, notification };
                let (next, step) = phase.after(&completion, 100, true);
                if step == Step::Stray {
                    prop_assert_eq!(next, phase);
                    continue;
                }
                let owed = more && !notification;
                if matches!(step, Step::Release | Step::ResultAndRelease(_)) { releases += 1 }
                prop_assert_eq!(matches!(step, Step::Release | Step::ResultAndRelease(_)), !next.in_kernel());
                prop_assert!(next.in_kernel() || !owed);
                phase = if step == Step::SendPlainly { Phase::Issued { zero_copy: false } } else { next };
            }
            prop_assert!(releases <= 1);
        }
    }
}
