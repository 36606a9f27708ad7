//! Bugs that tests switch on, to see that the tests notice them.
//!
//! | defect | noticed by |
//! |---|---|
//! | [`FreeAtSend`](Defect::FreeAtSend) | `uring::oracle::a_buffer_is_on_the_wire_as_it_was_sent` |
//! | [`ReleaseAtFirstCompletion`](Defect::ReleaseAtFirstCompletion) | the same |
//! | [`SkipTheDrain`](Defect::SkipTheDrain) | `uring::oracle::a_dropped_ring_frees_nothing_the_kernel_reads` |
//! | [`TrustAStaleId`](Defect::TrustAStaleId) | `uring::engine::tests::a_late_notification_does_not_release_the_next_send_in_its_place` |

use std::cell::Cell;

/// A bug of the kind this crate exists to exclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// The slot goes back to the pool when the send is queued.
    FreeAtSend,
    /// The first completion releases the slot, whether or not a notification follows.
    ReleaseAtFirstCompletion,
    /// A dropped ring neither drains nor leaks: it frees what is in flight.
    SkipTheDrain,
    /// A completion is matched by its place in the table alone.
    TrustAStaleId,
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
