use std::mem::{MaybeUninit, needs_drop};
use std::ptr::NonNull;

use crate::sys::memory::count_leaked;
use crate::sys::uring::slab::Key;

/// What requests point to besides their bytes: addresses, times. One place for each flight, which does not move.
///
/// Leaking is what happens if nobody says otherwise: dropping it leaks the memory, counted, since the kernel may read it.
///
/// # Invariants
///
/// `places` is dangling and `len` 0, or they are what `Box::into_raw` gave for a slice of that length.
pub(super) struct Arguments<T> {
    places: NonNull<MaybeUninit<T>>,
    len: usize,
    wanted: u32,
}

// SAFETY: it owns its places, as a box does; what the kernel reads there it reads whichever thread owns them.
unsafe impl<T: Send> Send for Arguments<T> {}

// SAFETY: nothing is reached through a shared reference.
unsafe impl<T: Sync> Sync for Arguments<T> {}

impl<T> Arguments<T> {
    /// For the flights of a table of this capacity. The memory is taken when it is first needed.
    pub(super) fn new(flights: u32) -> Self {
        const { assert!(!needs_drop::<T>(), "places are overwritten") };
        Self {
            places: NonNull::dangling(),
            len: 0,
            wanted: flights,
        }
    }

    /// Puts a flight's argument into its place, before the flight's request is queued; the address stays good until
    /// [`free`](Self::free). `None` for a key of another table.
    pub(super) fn put(&mut self, key: Key, value: T) -> Option<*const T> {
        if self.len == 0 {
            self.allocate();
        }
        let place = key.place().filter(|place| *place < self.len)?;
        // SAFETY: `place` is less than `len`, and the places are one allocation (invariant).
        let place = unsafe { self.places.add(place) }.cast::<T>();
        // SAFETY: the place is allocated for a `T` (invariant), and no reference to it exists: all access is in here.
        unsafe { place.write(value) };
        Some(place.as_ptr().cast_const())
    }

    /// Where a flight's argument is, which was put there. `None` for a key of another table.
    pub(super) fn at(&self, key: Key) -> Option<*const T> {
        let place = key.place().filter(|place| *place < self.len)?;
        // SAFETY: `place` is less than `len`, and the places are one allocation (invariant).
        let place = unsafe { self.places.add(place) };
        Some(place.cast::<T>().as_ptr().cast_const())
    }

    /// Gives the memory back.
    ///
    /// # Safety
    ///
    /// No request that points to it is with the kernel, and none will be: its argument would be what is written to the
    /// memory next.
    pub(super) unsafe fn free(&mut self) {
        let places = NonNull::slice_from_raw_parts(self.places, self.len);
        self.len = 0;
        // SAFETY: it is what `Box::into_raw` gave, or an empty slice, which a dangling pointer stands for (invariant). It is
        // not used again: `len` is 0.
        drop(unsafe { Box::from_raw(places.as_ptr()) });
        self.places = NonNull::dangling();
    }

    fn allocate(&mut self) {
        let len = usize::try_from(self.wanted).unwrap_or(0);
        let places = Box::into_raw(Box::<[T]>::new_uninit_slice(len));
        if let Some(places) = NonNull::new(places) {
            self.places = places.cast();
            self.len = len;
        }
    }
}

impl<T> Drop for Arguments<T> {
    fn drop(&mut self) {
        if self.len > 0 {
            count_leaked(self.len.saturating_mul(size_of::<T>()));
        }
    }
}
