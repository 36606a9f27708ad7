//! Bugs that tests switch on, to see that the tests notice them.
//!
//! | defect | noticed by |
//! |---|---|
//! | [`FreeAtSend`](Defect::FreeAtSend) | `uring::oracle::sends::a_buffer_is_on_the_wire_as_it_was_sent` |
//! | [`ReleaseAtFirstCompletion`](Defect::ReleaseAtFirstCompletion) | the same |
//! | [`SkipTheDrain`](Defect::SkipTheDrain) | `uring::oracle::sends::a_dropped_ring_frees_nothing_the_kernel_reads` |
//! | the same, for receives | `uring::engine::receive::tests::leaving::a_skipped_drain_is_noticed` |
//! | [`FreeAtRelease`](Defect::FreeAtRelease) | `uring::oracle::owners::a_released_slot_has_one_owner` |
//! | [`UnmapWhatIsSent`](Defect::UnmapWhatIsSent) | `uring::oracle::owners::the_matrix_notices_a_defect` |
//! | [`FreeWhatIsDropped`](Defect::FreeWhatIsDropped) | the same, as `FreeAtSend`, `ReleaseAtFirstCompletion` and `SkipTheDrain` once more |
//! | [`CloseWhatIsQueued`](Defect::CloseWhatIsQueued) | `uring::oracle::owners::what_is_queued_goes_to_its_own_socket_although_that_is_taken` |
//! | [`TrustTheThread`](Defect::TrustTheThread) | `uring::oracle::owners::what_a_thread_has_not_taken_goes_to_its_own_socket` |
//! | [`LeaveInTheTable`](Defect::LeaveInTheTable) | `uring::oracle::owners::a_registered_socket_that_is_taken_is_its_owners_alone` |
//! | [`TrustAStaleId`](Defect::TrustAStaleId) | `uring::engine::tests::a_late_notification_does_not_release_the_next_send_in_its_place` |
//! | [`LendWhatIsRead`](Defect::LendWhatIsRead) | `uring::rx::buffer_ring::tests::a_defect_is_noticed`, `uring::receive_oracle::a_defect_is_noticed` |
//! | [`ReleaseAtFirstPart`](Defect::ReleaseAtFirstPart) | the same |
//! | [`BundleByNumber`](Defect::BundleByNumber) | the same |
//! | [`RefillWhatIsRead`](Defect::RefillWhatIsRead) | `uring::zcrx::pages::tests::a_defect_is_noticed`, and on Linux 7.2 `uring::oracle::receives::a_page_that_is_kept_is_not_received_into` |
//! | [`CloseUnderReaders`](Defect::CloseUnderReaders) | `uring::engine::queues::tests::a_ring_is_not_closed_under_readers` |
//! | [`FreeHeaderAtSend`](Defect::FreeHeaderAtSend) | `uring::engine::tests::sending::message::what_a_message_names_stays_as_it_was` |
//! | [`ReleaseMessageAtFirstCompletion`](Defect::ReleaseMessageAtFirstCompletion) | `uring::oracle::sends::a_message_is_on_the_wire_as_it_was_sent` |
//! | [`TellBeforeTheLimit`](Defect::TellBeforeTheLimit) | `uring::engine::tests::within::a_send_told_before_its_limit_is_over_is_noticed` |
//! | [`FreeTheClock`](Defect::FreeTheClock) | `uring::engine::receive::tests::idle::a_clock_freed_while_the_kernel_reads_it_is_noticed` |
//! | [`TakeTheHead`](Defect::TakeTheHead) | `uring::engine::messages::tests::a_head_that_is_taken_for_bytes_is_noticed` |
//! | [`ReturnAtSend`](Defect::ReturnAtSend) | `zerocopy::oracle::a_buffer_is_on_the_wire_as_it_was_sent` |
//! | [`FreeAtClose`](Defect::FreeAtClose) | `zerocopy::oracle::a_closed_socket_has_what_was_sent` |
//! | [`ReleaseUpToTheLast`](Defect::ReleaseUpToTheLast) | `zerocopy::engine::tests::a_defect_is_noticed` |
//! | [`ReleaseAtFirstPiece`](Defect::ReleaseAtFirstPiece) | the same |
//! | [`MiscountFailures`](Defect::MiscountFailures) | the same |

use std::cell::Cell;

/// A bug of the kind this crate exists to exclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// The slot goes back to the pool when the send is queued.
    #[cfg(feature = "ring")]
    FreeAtSend,
    /// The first completion releases the slot, whether or not a notification follows.
    #[cfg(feature = "ring")]
    ReleaseAtFirstCompletion,
    /// A dropped ring neither drains nor leaks: it frees what is in flight.
    #[cfg(feature = "ring")]
    SkipTheDrain,
    /// A slot is free as soon as it is released, although the event's owner has it: it is used twice.
    #[cfg(feature = "ring")]
    FreeAtRelease,
    /// Memory that the kernel reads by its address is unmapped while it does.
    #[cfg(feature = "ring")]
    UnmapWhatIsSent,
    /// What was lent to the kernel is freed by whoever drops it, instead of leaked.
    #[cfg(feature = "ring")]
    FreeWhatIsDropped,
    /// A socket leaves the ring while a queued request names its descriptor.
    #[cfg(feature = "ring")]
    CloseWhatIsQueued,
    /// A thread of the kernel's that was told to take the queue is believed to have taken it.
    #[cfg(feature = "ring")]
    TrustTheThread,
    /// A socket leaves the ring, and stays in the table of registered files.
    #[cfg(feature = "ring")]
    LeaveInTheTable,
    /// A completion is matched by its place in the table alone.
    #[cfg(feature = "ring")]
    TrustAStaleId,
    /// A slot is received into again while what was received into it is read.
    #[cfg(feature = "ring")]
    LendWhatIsRead,
    /// The first completion of an incremental buffer is taken for its last.
    #[cfg(feature = "ring")]
    ReleaseAtFirstPart,
    /// A bundle is looked for in the slots whose numbers follow, not in those that the kernel was shown next.
    #[cfg(feature = "ring")]
    BundleByNumber,
    /// A page that was received into goes back to the kernel while it is read.
    #[cfg(feature = "ring")]
    RefillWhatIsRead,
    /// A ring is closed while a receive may still write what is read.
    #[cfg(feature = "ring")]
    CloseUnderReaders,
    /// What a message's request names its buffers with is used again as soon as it is queued.
    #[cfg(feature = "ring")]
    FreeHeaderAtSend,
    /// The first completion releases all buffers of a message but the first.
    #[cfg(feature = "ring")]
    ReleaseMessageAtFirstCompletion,
    /// A send is told, and its place is free, while the kernel still reads its limit.
    #[cfg(feature = "ring")]
    TellBeforeTheLimit,
    /// The clock of a receive that is over is freed while the kernel reads its time.
    #[cfg(feature = "ring")]
    FreeTheClock,
    /// What the kernel wrote before a message's bytes is told as bytes.
    #[cfg(feature = "ring")]
    TakeTheHead,
    /// A buffer is given back when the socket has taken it.
    ReturnAtSend,
    /// A socket that is closed gives back what the kernel reads, as it is.
    FreeAtClose,
    /// A notification stands for all sends before it.
    ReleaseUpToTheLast,
    /// A buffer is given back with the notification of its first part.
    ReleaseAtFirstPiece,
    /// A send that failed is taken for one that was not counted.
    MiscountFailures,
}

thread_local! {
    static SEEDED: Cell<Option<Defect>> = const { Cell::new(None) };
}

/// Whether this thread runs with the bug.
pub(crate) fn seeded(defect: Defect) -> bool {
    SEEDED.get() == Some(defect)
}

/// Runs with a bug, or with none.
pub(crate) fn with<R>(defect: Option<Defect>, body: impl FnOnce() -> R) -> R {
    SEEDED.set(defect);
    let result = body();
    SEEDED.set(None);
    result
}
