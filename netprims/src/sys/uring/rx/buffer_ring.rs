use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use super::area::Taken;
use super::order::{Filling, Order, Part};
use super::slots::Slots;
use crate::sys::memory::Mapping;

/// A ring of provided buffers: it shows the kernel which slots it may fill (`struct io_uring_buf_ring`, Linux 5.19).
///
/// Its memory is a mapping of its own, which the kernel pins while the ring is registered: unmapping it takes nothing
/// away from under the kernel. What it shows are addresses of slots, and those are lent while they are shown.
///
/// # Invariants
///
/// Every slot in `order` is lent in the one [`Slots`] whose area `area` names.
#[derive(Debug)]
pub(crate) struct BufferRing {
    entries: Entries,
    order: Order,
    area: u64,
    slot_len: u32,
    filling: Filling,
    /// Slots were shown that the kernel was not told of.
    is_behind: bool,
    /// How many it was told of, modulo 2^16.
    published: u16,
}

/// What a completion says of a buffer ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filled {
    /// The buffer it names.
    pub(crate) buffer: u16,
    /// Bytes received.
    pub(crate) len: u32,
    /// `IORING_CQE_F_BUF_MORE`: the kernel goes on filling the buffer.
    pub(crate) has_more: bool,
    /// The request was for bundles.
    pub(crate) is_bundle: bool,
}

impl BufferRing {
    /// Maps a ring for the slots. `None` if they are more than a ring can show, which is 32768.
    pub(crate) fn new(slots: &Slots, is_incremental: bool) -> io::Result<Option<Self>> {
        let area = slots.area();
        let Some(order) = Order::new(area.slots(), area.slot_len()) else {
            return Ok(None);
        };
        let filling = if is_incremental {
            Filling::Incremental
        } else {
            Filling::Single
        };
        Ok(Some(Self {
            entries: Entries::new(order.places())?,
            order,
            area: area.id(),
            slot_len: area.slot_len(),
            filling,
            is_behind: false,
            published: 0,
        }))
    }

    pub(crate) fn is_incremental(&self) -> bool {
        self.filling == Filling::Incremental
    }

    /// For registering: where it starts, and how many places it has.
    pub(crate) fn memory(&self) -> (NonNull<u8>, u16) {
        (self.entries.mapping.base(), self.order.places())
    }

    /// Shows every free slot to the kernel; true if any was shown since the last [`publish`](BufferRing::publish). The kernel
    /// sees them at the next one.
    #[inline]
    pub(crate) fn show_free(&mut self, slots: &mut Slots) -> bool {
        if slots.area().id() != self.area {
            return false;
        }
        while self.order.has_room() {
            let Some((slot, address)) = slots.lend() else {
                break;
            };
            self.show(slot, address);
        }
        self.is_behind
    }

    /// Ends a claim and, if its slot is free then, shows it again.
    #[inline]
    pub(crate) fn take_back(&mut self, slots: &mut Slots, taken: Taken) {
        if !self.order.has_room() || slots.area().id() != self.area {
            return slots.give_back(taken);
        }
        if let Some((slot, address)) = slots.lend_again(taken) {
            self.show(slot, address);
        }
    }

    /// Shows a slot that is lent. A slot that was free is not shown, and there is room.
    #[inline]
    fn show(&mut self, slot: u32, address: NonNull<u8>) {
        // The number of a slot is that of a buffer: there are no more than places.
        if let (Some(place), Ok(buffer)) = (self.order.show(slot), u16::try_from(slot)) {
            // SAFETY: the slot is lent, so it is mapped, nobody reads it, and it stays so until it is released. The
            // place holds nothing that the kernel has yet to take: `order` has none that was not told.
            unsafe { self.entries.write(place, address, self.slot_len, buffer) };
            self.is_behind = true;
        }
    }

    /// Lets the kernel see what is shown: one store, however many there are.
    pub(crate) fn publish(&mut self) {
        if std::mem::take(&mut self.is_behind) {
            self.published = self.order.tail();
            self.entries.publish(self.published);
        }
    }

    /// How many slots the kernel was told of, modulo 2^16: tells whether it was of any since another time.
    pub(crate) fn tail(&self) -> u16 {
        self.published
    }

    /// Whether the kernel has a slot to receive into, as far as its completions tell.
    pub(crate) fn is_any_left(&self) -> bool {
        self.order.is_any_left(self.published)
    }

    /// How many slots are shown.
    #[cfg(test)]
    pub(crate) fn shown(&self) -> usize {
        self.order.len()
    }

    /// Claims what a completion says was received into one buffer that is not filled any further, where the ring gives
    /// whole buffers. `None`, and nothing claimed, if it does not, or if that fits nothing that was shown.
    ///
    /// # Safety
    ///
    /// As for [`take`](BufferRing::take); the request is not for bundles, and no flag says that the buffer is filled further.
    #[inline]
    pub(crate) unsafe fn take_single(
        &mut self,
        slots: &mut Slots,
        buffer: u16,
        len: u32,
    ) -> Option<Taken> {
        let is_single = self.filling == Filling::Single && slots.area().id() == self.area;
        if !is_single || !self.order.take_single(buffer, len) {
            return None;
        }
        // SAFETY: the completion says that the kernel has received these bytes, from the start of the buffer, and hands it
        // over. The slot is the one it means: it was shown as this buffer, and not told since.
        unsafe { slots.take_whole(buffer.into(), len) }
    }

    /// Claims what a completion says was received, in its order. False, and nothing claimed, if it fits nothing that was
    /// shown.
    ///
    /// # Safety
    ///
    /// The kernel posted this completion, once, of a request that takes its buffers from this ring.
    pub(crate) unsafe fn take(
        &mut self,
        slots: &mut Slots,
        filled: Filled,
        mut each: impl FnMut(Taken),
    ) -> bool {
        let Filled {
            buffer,
            len,
            has_more,
            is_bundle,
        } = filled;
        if slots.area().id() != self.area {
            return false;
        }
        let filling = match self.filling {
            Filling::Single if is_bundle => Filling::Bundle,
            filling => filling,
        };
        let taken = self.order.take(filling, buffer, len, has_more, |part| {
            let Part {
                slot, offset, len, ..
            } = part;
            if len != 0 {
                // SAFETY: the completion says that the kernel has received these bytes; it fills a buffer from its start
                // to its end, and the part lies behind all parts told before. The slot is the one it means: it was
                // shown, as this buffer or at the places that follow, and not told since.
                let taken = unsafe { slots.take(slot, offset, len) };
                if let Some(taken) = taken {
                    each(taken);
                }
            }
            if part.is_last {
                // SAFETY: the completion hands the buffer over: no flag says that it is filled further.
                unsafe { slots.release(slot) };
            }
        });
        taken.is_ok()
    }
}

/// The ring as the kernel sees it: an array of `struct io_uring_buf`, with the tail in the reserved field of the first.
///
/// # Invariants
///
/// `mapping` has `SIZE` bytes for each of `places`. Only this value writes it, besides the kernel.
#[derive(Debug)]
struct Entries {
    mapping: Mapping,
    places: u16,
}

/// `struct io_uring_buf` without its last field, which is reserved, and in the first entry the ring's tail: writing this
/// leaves that alone. Source: `include/uapi/linux/io_uring.h`.
#[repr(C, packed)]
struct Entry {
    address: u64,
    len: u32,
    buffer: u16,
}

/// The size of `struct io_uring_buf`.
const SIZE: usize = 16;
/// Where the tail is in `struct io_uring_buf_ring`.
const TAIL: usize = size_of::<Entry>();
const _: () = assert!(TAIL == 14);

impl Entries {
    fn new(places: u16) -> io::Result<Self> {
        let len = usize::from(places).saturating_mul(SIZE);
        let len = NonZeroUsize::new(len).unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            mapping: Mapping::anonymous(len)?,
            places,
        })
    }

    /// Writes an entry. The kernel reads it when the tail has passed it.
    ///
    /// # Safety
    ///
    /// The kernel may write `len` bytes at `address` from the next [`publish`](Entries::publish) on, until it has let go
    /// of the buffer. It has taken what was at this place before.
    #[inline]
    unsafe fn write(&mut self, place: u16, address: NonNull<u8>, len: u32, buffer: u16) {
        if place >= self.places {
            return;
        }
        // The kernel is told an address: whatever it writes there comes back through the mapping's own pointer.
        let Ok(address) = u64::try_from(address.as_ptr().expose_provenance()) else {
            return;
        };
        let entry = Entry {
            address,
            len,
            buffer,
        };
        // SAFETY: the place is one of the ring's, so its entry lies in the mapping (invariant).
        let at = unsafe { self.mapping.base().add(usize::from(place) * SIZE) };
        // SAFETY: fourteen bytes of a mapping that is writable and that nobody has a reference into; no alignment is
        // needed. The kernel reads them only once the tail has passed them, and has done with them before (the caller's
        // promise).
        unsafe { at.cast::<Entry>().write(entry) };
    }

    /// Lets the kernel read the entries up to a tail.
    fn publish(&mut self, tail: u16) {
        // SAFETY: the first entry lies in the mapping (invariant), and these are its last two bytes.
        let at = unsafe { self.mapping.base().add(TAIL) };
        // SAFETY: they are mapped for as long as the reference, and aligned, since the mapping starts on a page. Nobody
        // uses them but this function and the kernel, which reads them atomically.
        let shared = unsafe { AtomicU16::from_ptr(at.cast().as_ptr()) };
        // Release: who sees the tail sees the entries.
        shared.store(tail, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
