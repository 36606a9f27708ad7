//! Bugs that tests switch on, to see that the memory oracle notices them.

use std::cell::Cell;

use super::wr_id::Tag;

/// A bug of the kind this crate exists to exclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// The slot goes back to the pool when the receive is posted.
    FreeAtPost,
    /// A receive completion retires all receives posted before it.
    RetireReceivesByPrefix,
    /// The tag of a destroyed queue pair is used again at once.
    ReuseTag,
    /// A buffer comes back from a failed post although nobody said that it was not queued.
    HandBackAfterFailedPost,
}

thread_local! {
    static SEEDED: Cell<Option<Defect>> = const { Cell::new(None) };
    static TAG: Cell<Option<Tag>> = const { Cell::new(None) };
}

/// Notes the tag of a queue pair just destroyed.
pub(crate) fn offer_tag(tag: Tag) {
    TAG.set(Some(tag));
}

/// The tag of the queue pair destroyed last, when the bug is to use it again.
pub(crate) fn reused_tag() -> Option<Tag> {
    TAG.take().filter(|_| seeded(Defect::ReuseTag))
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
