//! What a completion means for a send. Pure.
//!
//! A zero-copy send has one completion, or two: the first with the result, and a notification that the memory is free
//! **if and only if** the first carries `IORING_CQE_F_MORE`. That holds for errors too. A plain send has one.

use super::kernel::Completion;
use super::slab::Key;
use crate::sys::usage::Usage;

/// Where a send is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The kernel has it, or will at the next enter. No result yet.
    Issued {
        zero_copy: bool,
        /// The notification of an earlier attempt, which was refused, is still to come.
        owed: bool,
    },
    /// The kernel does not have it: it waits for its turn, or was refused without copying and waits until it can be queued
    /// as a plain send.
    Held { owed: bool },
    /// The kernel has it as a part of the request of another send.
    Along { head: Key },
    /// The result is known; the notification, which tells the usage, is still to come.
    Sent { bytes: u32 },
    /// Result and usage are known; a notification is still to come.
    Owed { bytes: u32, usage: Usage },
    /// The kernel has finished; the result was told, the release was not.
    Done { bytes: u32, usage: Usage },
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
    /// The phase is `Held`: send again, plainly.
    SendPlainly,
    /// Nothing yet.
    Wait,
}

impl Phase {
    /// Whether the kernel may still read the memory.
    pub(super) fn in_kernel(self) -> bool {
        !matches!(self, Self::Held { owed: false } | Self::Done { .. })
    }

    /// The phase of a send that is held and will not be sent, and what to do.
    pub(super) fn given_up(self, errno: i32) -> (Self, Step) {
        let Self::Held { owed } = self else {
            return (self, Step::Stray);
        };
        finished(Err(errno), owed)
    }

    /// The phase after a completion, and what to do. `len` is what was to be sent.
    #[inline]
    pub(super) fn after(
        self,
        completion: &Completion,
        len: u32,
        reports_usage: bool,
    ) -> (Self, Step) {
        if completion.notification {
            return self.after_notification(completion, reports_usage);
        }
        let Self::Issued { zero_copy, owed } = self else {
            return (self, Step::Stray);
        };
        // A plain send has no notification of its own.
        if !zero_copy && completion.more {
            return (self, Step::Stray);
        }
        // A kernel that claims more than it was given is not believed.
        let result = u32::try_from(completion.result)
            .map(|bytes| bytes.min(len))
            .map_err(|_| completion.result.saturating_neg());
        match result {
            Err(libc::EOPNOTSUPP) if zero_copy => {
                let owed = completion.more;
                (Self::Held { owed }, Step::SendPlainly)
            }
            Ok(bytes @ 1..) if completion.more => (Self::Sent { bytes }, Step::Result(result)),
            // Of a send that took nothing the usage is known, whatever its notification says.
            _ => finished(result, owed || completion.more),
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
            Self::Owed { bytes, usage } => (Self::Done { bytes, usage }, Step::Release),
            Self::Issued {
                zero_copy,
                owed: true,
            } => {
                let owed = false;
                (Self::Issued { zero_copy, owed }, Step::Wait)
            }
            Self::Held { owed: true } => (Self::Held { owed: false }, Step::Wait),
            _ => (self, Step::Stray),
        }
    }
}

/// After a result that leaves nothing in the buffer: the bytes were copied, or there are none.
#[inline]
fn finished(result: Result<u32, i32>, owed: bool) -> (Phase, Step) {
    let bytes = result.unwrap_or(0);
    let usage = usage_of_plain(bytes);
    if owed {
        (Phase::Owed { bytes, usage }, Step::Result(result))
    } else {
        (Phase::Done { bytes, usage }, Step::ResultAndRelease(result))
    }
}

/// What became of the bytes where the kernel takes them by copying.
#[inline]
pub(super) fn usage_of_plain(bytes: u32) -> Usage {
    if bytes == 0 {
        Usage::NotSent
    } else {
        Usage::Copied
    }
}

/// `IORING_NOTIF_USAGE_ZC_COPIED`, bit 31: at least one byte was copied. The other bits are reserved.
/// Source: `include/uapi/linux/io_uring.h`.
fn usage(result: i32) -> Usage {
    if result < 0 {
        Usage::Copied
    } else {
        Usage::ZeroCopied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const ZC: Phase = issued(true, false);
    const PLAIN: Phase = issued(false, false);
    const AGAIN: Phase = issued(false, true);
    const UNSUPPORTED: i32 = -libc::EOPNOTSUPP;

    const fn issued(zero_copy: bool, owed: bool) -> Phase {
        Phase::Issued { zero_copy, owed }
    }

    fn owed(bytes: u32, usage: Usage) -> Phase {
        Phase::Owed { bytes, usage }
    }

    fn first(result: i32, more: bool) -> Completion {
        Completion {
            result,
            more,
            ..Completion::default()
        }
    }

    fn notification(result: i32) -> Completion {
        Completion {
            result,
            notification: true,
            ..Completion::default()
        }
    }

    fn done(bytes: u32, usage: Usage) -> Phase {
        Phase::Done { bytes, usage }
    }

    #[rstest]
    #[case::sent(ZC, first(100, true), Phase::Sent { bytes: 100 }, Step::Result(Ok(100)))]
    #[case::short(ZC, first(7, true), Phase::Sent { bytes: 7 }, Step::Result(Ok(7)))]
    #[case::more_than_given(ZC, first(101, true), Phase::Sent { bytes: 100 }, Step::Result(Ok(100)))]
    #[case::failed_with_notification(ZC, first(-32, true), owed(0, Usage::NotSent), Step::Result(Err(32)))]
    #[case::failed_at_once(ZC, first(-22, false), done(0, Usage::NotSent), Step::ResultAndRelease(Err(22)))]
    #[case::least_result(
        ZC,
        first(i32::MIN, true),
        owed(0, Usage::NotSent),
        Step::Result(Err(i32::MAX))
    )]
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
    #[case::nothing_taken(ZC, first(0, true), owed(0, Usage::NotSent), Step::Result(Ok(0)))]
    #[case::nothing_taken_plainly(
        PLAIN,
        first(0, false),
        done(0, Usage::NotSent),
        Step::ResultAndRelease(Ok(0))
    )]
    #[case::plain_with_notification(PLAIN, first(9, true), PLAIN, Step::Stray)]
    #[case::refused(ZC, first(UNSUPPORTED, false), Phase::Held { owed: false }, Step::SendPlainly)]
    #[case::refused_with_notification(ZC, first(UNSUPPORTED, true), Phase::Held { owed: true }, Step::SendPlainly)]
    #[case::notification_while_held(
        Phase::Held { owed: true },
        notification(i32::MIN),
        Phase::Held { owed: false },
        Step::Wait
    )]
    #[case::notification_while_sent_again(AGAIN, notification(i32::MIN), PLAIN, Step::Wait)]
    #[case::sent_again_before_notification(
        AGAIN,
        first(9, false),
        owed(9, Usage::Copied),
        Step::Result(Ok(9))
    )]
    #[case::late_notification_of_the_refusal(
        owed(9, Usage::Copied),
        notification(0),
        done(9, Usage::Copied),
        Step::Release
    )]
    #[case::result_while_held(
        Phase::Held { owed: true },
        first(9, false),
        Phase::Held { owed: true },
        Step::Stray
    )]
    #[case::plain_send_refused(
        PLAIN,
        first(UNSUPPORTED, false),
        done(0, Usage::NotSent),
        Step::ResultAndRelease(Err(libc::EOPNOTSUPP))
    )]
    #[case::zero_copied(Phase::Sent { bytes: 9 }, notification(0), done(9, Usage::ZeroCopied), Step::Release)]
    #[case::copied(Phase::Sent { bytes: 9 }, notification(i32::MIN), done(9, Usage::Copied), Step::Release)]
    #[case::reserved_bits(Phase::Sent { bytes: 9 }, notification(4), done(9, Usage::ZeroCopied), Step::Release)]
    #[case::copied_and_reserved_bits(Phase::Sent { bytes: 9 }, notification(i32::MIN + 4), done(9, Usage::Copied), Step::Release)]
    #[case::usage_of_a_failed_send_lies(
        owed(0, Usage::NotSent),
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

    #[rstest]
    #[case(false, done(0, Usage::NotSent), Step::ResultAndRelease(Err(5)))]
    #[case(true, owed(0, Usage::NotSent), Step::Result(Err(5)))]
    fn a_held_send_that_is_given_up_has_failed(
        #[case] is_owed: bool,
        #[case] next: Phase,
        #[case] step: Step,
    ) {
        assert_eq!(Phase::Held { owed: is_owed }.given_up(5), (next, step));
    }

    proptest! {
        /// However confused the kernel is: after a `more` the memory stays in the kernel until a notification comes,
        /// and the result and the release are told at most once, in this order.
        #[test]
        fn memory_is_released_once_and_not_before_the_last_completion(
            zero_copy: bool,
            script in prop::collection::vec((any::<i32>(), any::<bool>(), any::<bool>()), 0..12),
        ) {
            let mut phase = issued(zero_copy, false);
            let (mut results, mut releases) = (0, 0);
            let mut is_owed = false;
            for (result, more, notification) in script {
                // EOPNOTSUPP often enough to be sent again.
                let result = if result % 3 == 0 { UNSUPPORTED } else { result };
                let completion = Completion { result, more, notification, ..Completion::default() };
                let (next, step) = phase.after(&completion, 100, true);
                if step == Step::Stray {
                    prop_assert_eq!(next, phase);
                    continue;
                }
                is_owed = if notification { false } else { is_owed || more };
                if matches!(step, Step::Result(_) | Step::ResultAndRelease(_)) { results += 1 }
                if matches!(step, Step::Release | Step::ResultAndRelease(_)) { releases += 1 }
                prop_assert!(releases <= results && results <= 1);
                prop_assert_eq!(matches!(next, Phase::Done { .. }), releases == 1);
                prop_assert!(next.in_kernel() || !is_owed);
                phase = match next {
                    Phase::Held { owed } if step == Step::SendPlainly => issued(false, owed),
                    next => next,
                };
            }
        }
    }
}
