use std::mem::ManuallyDrop;

#[cfg(feature = "ring")]
use super::Home;
use super::Slot;
#[cfg(all(test, feature = "ring"))]
use crate::sys::defect::{Defect, seeded};

/// A slot that is lent to the kernel.
///
/// Leaking is what happens if nobody says otherwise: dropping a `Lent`, by whatever path and also when a panic unwinds,
/// leaks the slot and counts its mapping. Only [`take_back`](Lent::take_back), called after the kernel's last
/// completion, makes a slot of it again; or [`leave_pages`](Lent::leave_pages), with other pages.
///
/// # Invariants
///
/// `slot` holds a value until `take_back` or `Drop` has consumed it; no method can be called after either.
pub(crate) struct Lent {
    slot: ManuallyDrop<Slot>,
}

impl Lent {
    #[inline]
    pub(crate) fn new(slot: Slot) -> Self {
        Self {
            slot: ManuallyDrop::new(slot),
        }
    }

    /// The slot, of which the kernel has let go.
    #[inline]
    pub(crate) fn take_back(self) -> Slot {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: the slot holds a value (invariant) and is not used again: `this` is not dropped, and goes out of scope.
        unsafe { ManuallyDrop::take(&mut this.slot) }
    }

    /// The address for a request to the kernel.
    #[cfg(feature = "ring")]
    #[inline]
    pub(crate) fn address(&self) -> *const u8 {
        self.slot.address()
    }

    #[cfg(feature = "ring")]
    pub(crate) fn home(&self) -> Option<Home> {
        self.slot.home()
    }

    /// What the kernel reads.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.slot.bytes()
    }

    /// Leaves the pages to the kernel, which may still read them, and makes the slot free with fresh ones. Where that
    /// cannot be the slot is leaked and counted, and the answer is false. Only for a kernel that holds the pages
    /// themselves: a zero-copy send does.
    pub(crate) fn leave_pages(mut self) -> bool {
        let renewed = self.slot.renew();
        if renewed {
            drop(self.take_back());
        }
        renewed
    }

    /// The seeded defect: nothing is mapped any more where the kernel reads.
    #[cfg(all(test, feature = "ring"))]
    pub(crate) fn unmap_early(&self) {
        self.slot.unmap_early();
    }

    /// The seeded defect: the pool hands the slot out while the kernel reads it.
    #[cfg(all(test, feature = "ring"))]
    pub(crate) fn free_early(&self) {
        self.slot.free_early();
    }
}

impl Drop for Lent {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the slot holds a value (invariant), and this is its last use.
        let slot = unsafe { ManuallyDrop::take(&mut self.slot) };
        #[cfg(all(test, feature = "ring"))]
        if seeded(Defect::FreeWhatIsDropped) {
            return drop(slot);
        }
        slot.leak();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Mapping, Pool, Shape, leaked_bytes};
    use super::*;

    fn pool() -> Pool {
        let shape = Shape::new(2, 4096).unwrap();
        Pool::new(Mapping::anonymous(shape.bytes()).unwrap(), shape, None)
    }

    #[test]
    fn dropping_it_leaks_the_slot_and_counts_the_mapping() {
        let pool = pool();
        let before = leaked_bytes();
        drop(Lent::new(pool.take().unwrap()));
        // Other tests of this process leak too, so this is a lower bound.
        assert!(leaked_bytes() - before >= 8192);
        let _other = pool.take().unwrap();
        assert!(pool.take().is_none(), "the leaked slot is not handed out");
    }

    #[test]
    fn leaving_the_pages_frees_the_slot_or_leaks_it() {
        let shape = Shape::of_pages(1, 16).unwrap();
        let pages = Pool::new(Mapping::anonymous(shape.bytes()).unwrap(), shape, None);
        let mut slot = pages.take().unwrap();
        slot.bytes_mut().fill(7);
        assert!(Lent::new(slot).leave_pages());
        assert_eq!(pages.take().unwrap().bytes(), [0; 16]);

        let shape = Shape::new(1, 16).unwrap();
        let shared = Pool::new(Mapping::anonymous(shape.bytes()).unwrap(), shape, None);
        let before = leaked_bytes();
        assert!(!Lent::new(shared.take().unwrap()).leave_pages());
        assert!(shared.take().is_none() && leaked_bytes() > before);
    }

    #[test]
    fn taking_it_back_makes_it_a_slot_again() {
        let pool = pool();
        drop(Lent::new(pool.take().unwrap()).take_back());
        assert_eq!(pool.outstanding(), 0);
    }
}
