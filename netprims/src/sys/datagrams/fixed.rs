//! Arrays whose addresses stay.

use std::ptr::NonNull;

/// Values that pointers lead to for as long as it lives: those stay good when it is moved, and when the values are
/// looked at or changed by its methods, unlike pointers into a box.
///
/// Invariant: `values` is the box of [`new`](Self::new), which nobody else owns or frees. Every pointer to the values
/// is made from it.
pub(super) struct Fixed<T> {
    values: NonNull<[T]>,
}

// SAFETY: it owns the values as a box does; `T` may be sent, and so may they.
unsafe impl<T: Send> Send for Fixed<T> {}

// SAFETY: a shared one gives shared references to the values and pointers, which to follow takes a proof of its own.
unsafe impl<T: Sync> Sync for Fixed<T> {}

impl<T> Fixed<T> {
    pub(super) fn new(values: Vec<T>) -> Self {
        Self {
            values: NonNull::from(Box::leak(values.into_boxed_slice())),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn all(&self) -> &[T] {
        // SAFETY: the values live until `drop`, by the invariant, and are not changed while `self` is borrowed: to that
        // end `all_mut` borrows it for writing, and so does who follows a pointer.
        unsafe { self.values.as_ref() }
    }

    pub(super) fn all_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `all`; and nobody else looks at the values, since `self` is borrowed for writing.
        unsafe { self.values.as_mut() }
    }

    /// To the `nth` value. Whoever follows it borrows this for writing for as long.
    pub(super) fn pointer(&self, nth: usize) -> *mut T {
        self.values.as_ptr().cast::<T>().wrapping_add(nth)
    }
}

impl<T> Drop for Fixed<T> {
    fn drop(&mut self) {
        // SAFETY: it is the box of `new`, by the invariant, and this is its end: nobody follows a pointer any more, which
        // would take a borrow.
        drop(unsafe { Box::from_raw(self.values.as_ptr()) });
    }
}
