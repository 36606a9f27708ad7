use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::queues::{PagesHandle, Queue};
use super::{Engine, Flight};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::{Mapping, Shape};
use crate::sys::uring::kernel::Kernel;
use crate::sys::uring::live::Refused;
use crate::sys::uring::rx::{Area, BufferRing, Counters, Slots};
use crate::sys::uring::slab::Key;

/// Memory to receive into, and who waits for it.
pub(super) struct Group {
    pub(super) slots: Slots,
    /// Shows the slots to the kernel, which knows it as the group of this one's number. Without, each request names a
    /// slot.
    pub(super) ring: Option<BufferRing>,
    pub(super) is_bundling: bool,
    /// Each slot has room for what is told of a message.
    pub(super) is_for_messages: bool,
    pub(super) counters: Arc<Counters>,
    /// Receives in the table that take from it.
    pub(super) users: u32,
    /// Receives that found no free slot. Has room for all there can be.
    pub(super) starved: VecDeque<Key>,
    /// A queue for zero-copy receive, for the sockets that have it. The others use the slots.
    pub(super) queue: Option<Queue>,
}

/// How a group gives its slots to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Giving {
    /// One with each request.
    OneByOne,
    /// All that are free, in a ring of provided buffers.
    Ring {
        is_incremental: bool,
        is_bundling: bool,
    },
}

/// What a pool's owner holds of its group. The engine keeps the group while this or one of its clones exists, or a receive
/// takes from it.
#[derive(Clone, Debug)]
pub(crate) struct GroupHandle {
    engine: u64,
    group: u16,
    area: Area,
    pub(super) pages: Option<PagesHandle>,
    counters: Arc<Counters>,
}

impl GroupHandle {
    /// What is received into, as far as the sockets do not need a lower rung.
    pub(crate) fn area(&self) -> &Area {
        self.pages.as_ref().map_or(&self.area, |pages| &pages.area)
    }

    /// Pieces that are out.
    pub(crate) fn outstanding(&self) -> u32 {
        let pages = self.pages.as_ref();
        let pages = pages.map_or(0, |pages| pages.area.outstanding());
        pages.saturating_add(self.area.outstanding())
    }

    /// Whether the kernel tells how much it copies.
    pub(crate) fn counts_copies(&self) -> bool {
        let pages = self.pages.as_ref();
        pages.is_none_or(|pages| pages.counts_copies)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// Groups a ring can have.
const MOST: u16 = 64;

impl<K: Kernel> Engine<K> {
    /// Maps memory to receive into. `None` if there are as many groups as there can be.
    pub(crate) fn group(
        &mut self,
        shape: Shape,
        giving: Giving,
    ) -> Result<Option<GroupHandle>, Refused> {
        let mapping = Mapping::anonymous(shape.bytes()).map_err(Refused::by_mmap)?;
        self.group_in(mapping, shape, giving)
    }

    pub(in crate::sys::uring) fn group_in(
        &mut self,
        mapping: Mapping,
        shape: Shape,
        giving: Giving,
    ) -> Result<Option<GroupHandle>, Refused> {
        self.drop_dead_groups().map_err(Refused::by_register)?;
        let free = self.groups.iter().position(Option::is_none);
        let place = free.unwrap_or(self.groups.len());
        let Some(number) = u16::try_from(place).ok().filter(|number| *number < MOST) else {
            return Ok(None);
        };
        let slots = Slots::new(mapping, shape);
        let (ring, is_bundling) = match giving {
            Giving::OneByOne => (None, false),
            Giving::Ring {
                is_incremental,
                is_bundling,
            } => {
                let ring = self.registered_ring(number, &slots, is_incremental)?;
                (Some(ring), is_bundling && self.kernel.receives_bundles())
            }
        };
        let counters = Arc::new(Counters::default());
        let handle = GroupHandle {
            engine: self.id,
            group: number,
            area: slots.area().clone(),
            pages: None,
            counters: Arc::clone(&counters),
        };
        // Here, so that no allocation is left for later.
        self.arrived.reserve(slots.area().slots());
        let group = Group {
            slots,
            ring,
            is_bundling,
            is_for_messages: false,
            counters,
            users: 0,
            starved: VecDeque::with_capacity(self.most_in_flight),
            queue: None,
        };
        match self.groups.get_mut(place) {
            Some(place) => *place = Some(group),
            None => self.groups.push(Some(group)),
        }
        self.note_areas();
        Ok(Some(handle))
    }

    fn registered_ring(
        &mut self,
        number: u16,
        slots: &Slots,
        is_incremental: bool,
    ) -> Result<BufferRing, Refused> {
        let ring = BufferRing::new(slots, is_incremental).map_err(Refused::by_mmap)?;
        let ring = ring.ok_or_else(|| {
            let error = io::Error::from_raw_os_error(libc::EINVAL);
            Refused::by_register(error)
        })?;
        let (base, places) = ring.memory();
        // SAFETY: the ring's memory is a mapping of its own of so many entries, which shows nothing yet. It will show
        // slots that are lent: mapped, and read by nobody. They are released when a completion gives them up, or when
        // the group was unregistered and no request that names it is in flight (`let_go`); else they are leaked.
        unsafe {
            self.kernel
                .register_group(number, base.as_ptr(), places, is_incremental)
        }
        .map_err(Refused::by_register)?;
        Ok(ring)
    }

    /// The group of a handle; `None` if it is another engine's.
    pub(super) fn group_of(&mut self, handle: &GroupHandle) -> Option<(u16, &mut Group)> {
        let is_own = handle.engine == self.id;
        let group = self.group_mut(handle.group).filter(|_| is_own)?;
        Some((handle.group, group))
    }

    #[inline]
    pub(super) fn group_mut(&mut self, number: u16) -> Option<&mut Group> {
        self.groups.get_mut(usize::from(number))?.as_mut()
    }

    /// Whether a receive waits for memory to come back. Nothing wakes a thread that blocks in the kernel when some does.
    pub(super) fn is_starved(&self) -> bool {
        let mut groups = self.groups.iter().flatten();
        groups.any(|group| !group.starved.is_empty() || group.is_queue_starved())
    }

    /// Takes what came back, shows the kernel all that is free, and wakes the receives that waited for it.
    pub(super) fn offer_slots(&mut self) {
        for group in self.groups.iter_mut().flatten() {
            group.slots.collect();
            let woken = match &mut group.ring {
                Some(ring) => {
                    let has_more = ring.show_free(&mut group.slots);
                    ring.publish();
                    // What is free is taken by who has something to receive, which the kernel knows.
                    if has_more { group.starved.len() } else { 0 }
                }
                None => group.slots.free().min(group.starved.len()),
            };
            if woken > 0 {
                self.waiting.extend(group.starved.drain(..woken));
            }
            group.offer_pages(&mut *self.kernel, &mut self.waiting);
        }
    }

    /// Lets go of the groups that nobody uses any more.
    fn drop_dead_groups(&mut self) -> io::Result<()> {
        for (number, place) in (0..).zip(&mut self.groups) {
            let is_dead =
                |group: &&mut Group| group.users == 0 && Arc::strong_count(&group.counters) == 1;
            if let Some(group) = place.as_mut().filter(is_dead) {
                // SAFETY: no request in flight takes from it: each of those has a receive in the table.
                unsafe { group.let_go(number, &mut *self.kernel) }?;
                let queue = place.take().and_then(|group| group.queue);
                self.idle_queues.extend(queue.map(|queue| queue.pages));
            }
        }
        self.note_areas();
        Ok(())
    }

    /// Lets go of the groups that no request in flight takes from. The others keep their memory mapped for good.
    pub(super) fn drop_groups(&mut self) {
        for (number, place) in (0..).zip(&mut self.groups) {
            let is_busy = self.flights.iter().any(
                |flight| matches!(flight, Flight::Receive(receive) if receive.takes_from(number)),
            );
            #[cfg(test)]
            let is_busy = is_busy && !seeded(Defect::SkipTheDrain);
            if let Some(group) = place.as_mut().filter(|_| !is_busy) {
                // SAFETY: no request in flight takes from it, or it would be in the table.
                let _ = unsafe { group.let_go(number, &mut *self.kernel) };
            }
        }
    }
}

impl Group {
    /// Its memory.
    pub(super) fn areas(&self) -> [Option<Area>; 2] {
        let pages = self.queue.as_ref().map(|queue| queue.pages.area().clone());
        [Some(self.slots.area().clone()), pages]
    }

    /// Ends what the kernel may do with the slots. If it refuses to forget the group, they stay lent.
    ///
    /// # Safety
    ///
    /// No request that takes from this group is in flight.
    unsafe fn let_go<K: Kernel>(&mut self, number: u16, kernel: &mut K) -> io::Result<()> {
        if self.ring.is_some() {
            kernel.unregister_group(number)?;
        }
        // SAFETY: the kernel writes a slot for a request that names it or its group, of which there is none (the
        // caller's promise), and there will be none: the group is not known any more.
        unsafe { self.slots.release_all() };
        Ok(())
    }
}
