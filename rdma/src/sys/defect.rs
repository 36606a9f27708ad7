//! Bugs that tests switch on, to see that the tests notice them.
//!
//! | defect | noticed by |
//! |---|---|
//! | [`FreeAtPost`](Defect::FreeAtPost) | `oracle::the_device_writes_to_nothing_but_what_it_has_and_the_bug_is_noticed`, `misbehaviour::random_work_finds_the_bug` |
//! | [`RetireReceivesByPrefix`](Defect::RetireReceivesByPrefix) | the same |
//! | [`ReuseTag`](Defect::ReuseTag) | the same, `matrix::a_defect_is_noticed` |
//! | [`HandBackAfterFailedPost`](Defect::HandBackAfterFailedPost) | all three |
//! | [`FreeBeforeDestroy`](Defect::FreeBeforeDestroy) | `matrix::a_defect_is_noticed`, `misbehaviour::random_work_finds_the_bug` |
//! | [`HandBackBeforeReset`](Defect::HandBackBeforeReset) | `matrix::a_defect_is_noticed` |
//! | [`ForgetTheRegion`](Defect::ForgetTheRegion) | the same |
//! | [`UnmapBeforeDeregister`](Defect::UnmapBeforeDeregister) | the same |
//! | [`ExposeLocalMemory`](Defect::ExposeLocalMemory) | the same |
//! | [`ForgetTheDestination`](Defect::ForgetTheDestination) | the same |
//! | [`FreeWithTheSharedQueue`](Defect::FreeWithTheSharedQueue) | the same |
//! | [`LeaveTheSharedQueue`](Defect::LeaveTheSharedQueue) | the same |
//! | [`RetireSharedInOrder`](Defect::RetireSharedInOrder) | `oracle::the_device_writes_to_nothing_but_what_it_has_and_the_bug_is_noticed` |
//! | [`TakeRepeatedCompletions`](Defect::TakeRepeatedCompletions) | `oracle::the_device_writes_to_nothing_but_what_it_has_and_the_bug_is_noticed`, `misbehaviour::random_work_finds_the_bug` |
//! | [`HandBackAcceptedOfABatch`](Defect::HandBackAcceptedOfABatch) | `oracle::the_device_writes_to_nothing_but_what_it_has_and_the_bug_is_noticed` |
//! | [`HandBackAcceptedReceives`](Defect::HandBackAcceptedReceives) | the same |
//! | [`ForgetAFailedExtendedPost`](Defect::ForgetAFailedExtendedPost) | the same |
//! | [`GiveBackBeforeDeregistered`](Defect::GiveBackBeforeDeregistered) | `memory::memory_is_given_back_only_after_the_device_was_told_and_the_bug_is_noticed` |

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
    /// The buffers in flight are free before the queue pair is destroyed.
    FreeBeforeDestroy,
    /// They are handed back before the queue pair is reset.
    HandBackBeforeReset,
    /// A request does not keep the exposed memory that it names.
    ForgetTheRegion,
    /// Memory is unmapped before its region is deregistered.
    UnmapBeforeDeregister,
    /// Local memory has the rights that a window over it would give.
    ExposeLocalMemory,
    /// A datagram does not keep its address handle.
    ForgetTheDestination,
    /// What a shared queue has in flight is free when nobody can post to it any more.
    FreeWithTheSharedQueue,
    /// A queue pair that cannot be destroyed does not keep its shared queue.
    LeaveTheSharedQueue,
    /// A completion of a shared queue stands for the receive that was posted first.
    RetireSharedInOrder,
    /// A completion of nothing in flight stands for the oldest receive.
    TakeRepeatedCompletions,
    /// Of a batch that went through in part, that part comes back as well.
    HandBackAcceptedOfABatch,
    /// The same of a batch of receives.
    HandBackAcceptedReceives,
    /// A request of an extended queue pair that failed counts as not queued.
    ForgetAFailedExtendedPost,
    /// Memory is given back to its owner although the device did not let go of it.
    GiveBackBeforeDeregistered,
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
