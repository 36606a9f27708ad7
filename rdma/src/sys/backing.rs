//! Memory that stays where it is, and who keeps it.

use std::any::Any;
use std::fmt;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use super::pages::Pages;

/// A value that owns memory outside itself, which moving the value does not move.
///
/// Such a value can be registered: the crate keeps it, the device uses its memory, and the program gets it
/// back when the memory is registered no more.
///
/// # Safety
///
/// The implementor promises of the range that [`memory`](Self::memory) names, from the call until the value
/// is used again in any other way than by being moved:
///
/// 1. it is initialised, and valid for reads and writes;
/// 2. nobody reads or writes it but who was given the range by the call: no other value, thread, process or device;
/// 3. values of any bytes may be left in it, and the value may then be used, and dropped, as safely as before.
///
/// Moving the value, also into a box, neither moves the range nor takes its validity.
pub unsafe trait StableMemory: Send + 'static {
    /// Where the memory begins, and how many bytes it has.
    fn memory(&mut self) -> (NonNull<u8>, usize);
}

// SAFETY: a vector's elements stay where they are until it is changed, and nobody else may use them while it
// is borrowed exclusively or owned; every pattern of bytes is an element. That its pointer stays valid when it is
// moved is what `Vec` documents of `as_mut_ptr`.
unsafe impl StableMemory for Vec<u8> {
    fn memory(&mut self) -> (NonNull<u8>, usize) {
        (pointer(self.as_mut_ptr()), self.len())
    }
}

// SAFETY: as of `Vec<u8>`; a `u64` is eight initialised bytes.
unsafe impl StableMemory for Vec<u64> {
    fn memory(&mut self) -> (NonNull<u8>, usize) {
        (pointer(self.as_mut_ptr().cast()), size_of_val(&**self))
    }
}

// SAFETY: as of `Vec<u8>`. It is not moved after the call but by moving what it is stored in (`Backing`).
unsafe impl StableMemory for Box<[u8]> {
    fn memory(&mut self) -> (NonNull<u8>, usize) {
        (pointer(self.as_mut_ptr()), self.len())
    }
}

// SAFETY: as of `Box<[u8]>`.
unsafe impl StableMemory for Box<[u64]> {
    fn memory(&mut self) -> (NonNull<u8>, usize) {
        (pointer(self.as_mut_ptr().cast()), size_of_val(&**self))
    }
}

// SAFETY: pages stay where they are until they are unmapped, which their drop does; nobody else has them.
unsafe impl StableMemory for Pages {
    fn memory(&mut self) -> (NonNull<u8>, usize) {
        (Pages::memory(self).start(), self.len())
    }
}

/// A collection's pointer, which is never null.
fn pointer(start: *mut u8) -> NonNull<u8> {
    NonNull::new(start).unwrap_or(NonNull::dangling())
}

/// Memory that the program vouches for itself: mapped from a file, or by another library.
#[derive(Debug)]
pub struct RawMemory {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the promise of whoever made it.
unsafe impl Send for RawMemory {}

impl RawMemory {
    /// `len` bytes from `start` on.
    ///
    /// # Safety
    ///
    /// From now on, until the value is dropped or given back by [`Owned::into_owner`](crate::Owned::into_owner),
    /// and for ever if the device refuses to deregister it ([`leaks`](crate::leaks) says so):
    ///
    /// - the bytes are mapped, initialised, and valid for reads and writes from any thread;
    /// - nobody reads or writes them but this crate: no other part of the program, no other process, no other
    ///   device.
    #[must_use]
    pub const unsafe fn new(start: NonNull<u8>, len: usize) -> Self {
        RawMemory { start, len }
    }

    /// Where it begins.
    #[must_use]
    pub const fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

// SAFETY: what `RawMemory::new` makes its caller promise.
unsafe impl StableMemory for RawMemory {
    fn memory(&mut self) -> (NonNull<u8>, usize) {
        (self.start, self.len)
    }
}

/// Memory that stays where it is, with the value that owns it.
///
/// # Invariants
///
/// `start..start + len` is the memory of `owner`, which is not used until it is taken out, but moved with
/// this value.
pub(crate) struct Backing {
    start: NonNull<u8>,
    len: NonZeroUsize,
    owner: Box<dyn Any + Send>,
}

// SAFETY: the owner is `Send`, and the range is nobody's but this value's.
unsafe impl Send for Backing {}
// SAFETY: shared access asks where the memory is, and of what type the owner is; nothing of the owner's is used.
unsafe impl Sync for Backing {}

impl Backing {
    /// The owner, if it has no memory, or more than an address space.
    pub(crate) fn of<T: StableMemory>(owner: T) -> Result<Self, T> {
        // Boxed first: from the call of `memory` on, it is not moved itself any more.
        let mut owner = Box::new(owner);
        let (start, len) = owner.memory();
        match NonZeroUsize::new(len).filter(|len| isize::try_from(len.get()).is_ok()) {
            Some(len) => Ok(Backing { start, len, owner }),
            None => Err(*owner),
        }
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// The owner, if it is of this type.
    pub(crate) fn into_owner<T: StableMemory>(self) -> Option<T> {
        self.owner.downcast().ok().map(|owner| *owner)
    }

    /// The pages, if it is pages that own it.
    pub(crate) fn pages(&self) -> Option<&Pages> {
        self.owner.downcast_ref()
    }
}

impl fmt::Debug for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backing")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_comes_back_with_what_was_written_to_its_memory() {
        let bytes = vec![1_u8; 100];
        let at = bytes.as_ptr();
        let backing = Backing::of(bytes).unwrap();
        assert_eq!(
            (backing.start().as_ptr().cast_const(), backing.len()),
            (at, 100)
        );
        // SAFETY: of the backing's own memory.
        unsafe { backing.start().as_ptr().write(7) };
        let bytes: Vec<u8> = backing.into_owner().unwrap();
        assert_eq!((bytes[0], bytes[99], bytes.as_ptr()), (7, 1, at));
        let words = Backing::of(vec![0_u64; 3].into_boxed_slice()).unwrap();
        assert_eq!(words.len(), 24);
        assert!(words.into_owner::<Box<[u8]>>().is_none());
    }

    #[test]
    fn no_memory_is_none() {
        let mut reserved = Vec::<u8>::with_capacity(100);
        reserved.clear();
        assert!(Backing::of(reserved).unwrap_err().capacity() >= 100);
        // SAFETY: refused, so nothing uses it.
        let huge = unsafe { RawMemory::new(NonNull::dangling(), usize::MAX) };
        assert!(Backing::of(huge).is_err());
    }
}
