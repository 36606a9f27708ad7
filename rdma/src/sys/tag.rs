//! Which tags are in use.
//!
//! Completions of a destroyed queue pair may still be polled, so its tag must not name another one
//! before that is impossible: a [`TagLease`] is shared by the queue pair and by the CQs that may
//! still hold its completions, and the tag is free when the last of them lets go.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::wr_id::Tag;

/// One registry for the process: a completion of one device must not fit a queue pair of another.
static TAGS: Mutex<Tags> = Mutex::new(Tags::new());

/// The tags in use.
#[derive(Debug)]
struct Tags {
    next: u32,
    used: BTreeSet<u32>,
}

impl Tags {
    const fn new() -> Self {
        Tags {
            next: 1,
            used: BTreeSet::new(),
        }
    }

    /// The next tag in turn that is not in use: as long as possible after its last use.
    fn take(&mut self, max: u32) -> Option<Tag> {
        if self.used.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
            return None;
        }
        loop {
            let candidate = self.next;
            self.next = if candidate >= max { 1 } else { candidate + 1 };
            if self.used.insert(candidate) {
                return Tag::new(candidate);
            }
        }
    }
}

/// The right to a tag; free again when dropped.
#[derive(Debug)]
pub(crate) struct TagLease {
    tag: Tag,
}

impl TagLease {
    /// `None` when all 2^31 - 1 are in use.
    pub(crate) fn take() -> Option<Arc<Self>> {
        let tag = TAGS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(Tag::MAX)?;
        #[cfg(test)]
        TAKEN.set(TAKEN.get() + 1);
        Some(Arc::new(TagLease { tag }))
    }

    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// The right to a tag that another lease already has: a seeded defect.
    #[cfg(test)]
    pub(crate) fn again(tag: Tag) -> Arc<Self> {
        Arc::new(TagLease { tag })
    }
}

#[cfg(test)]
thread_local! {
    static TAKEN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How many tags this thread has taken.
#[cfg(test)]
pub(crate) fn taken() -> u64 {
    TAKEN.get()
}

/// Whether a tag is somebody's.
#[cfg(test)]
pub(crate) fn in_use(tag: Tag) -> bool {
    let tags = TAGS.lock().unwrap_or_else(PoisonError::into_inner);
    tags.used.contains(&tag.number())
}

impl Drop for TagLease {
    fn drop(&mut self) {
        TAGS.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .used
            .remove(&self.tag.number());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_in_use_is_not_given_again_even_after_a_whole_round() {
        let mut tags = Tags::new();
        let kept = tags.take(4).unwrap();
        for _ in 0..10 {
            let tag = tags.take(4).unwrap();
            assert_ne!(tag, kept);
            tags.used.remove(&tag.number());
        }
    }

    #[test]
    fn when_all_are_in_use_there_is_none() {
        let mut tags = Tags::new();
        let taken: BTreeSet<u32> = (0..3).map(|_| tags.take(3).unwrap().number()).collect();
        assert_eq!(taken, BTreeSet::from([1, 2, 3]));
        assert_eq!(tags.take(3), None);
        tags.used.remove(&2);
        assert_eq!(tags.take(3).unwrap().number(), 2);
    }

    #[test]
    fn dropping_the_last_holder_frees_the_tag() {
        let lease = TagLease::take().unwrap();
        let tag = lease.tag();
        let other = Arc::clone(&lease);
        drop(lease);
        assert!(in_use(tag));
        drop(other);
        assert!(!in_use(tag));
    }
}
