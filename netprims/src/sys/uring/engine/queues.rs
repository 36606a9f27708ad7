use std::collections::VecDeque;

use super::groups::{Group, GroupHandle};
use super::receive::{End, NoWay, State};
use super::{Engine, Flight};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
#[cfg(test)]
use crate::sys::memory::Mapping;
use crate::sys::memory::Shape;
use crate::sys::uring::kernel::{Completion, Kernel, Unfit};
use crate::sys::uring::rx::{Area, Counters, Taken};
use crate::sys::uring::slab::Key;
use crate::sys::uring::zcrx::{self, Brought, Pages, Refused, Source};

/// A group's queue for zero-copy receive, and who waits for its pages.
pub(super) struct Queue {
    pub(super) pages: Pages,
    /// Receives that found no free page. Has room for all there can be.
    pub(super) starved: VecDeque<Key>,
}

/// What a pool's owner holds of its group's queue.
#[derive(Clone, Debug)]
pub(super) struct PagesHandle {
    pub(super) area: Area,
    /// Whether the kernel tells how much it copies.
    pub(super) counts_copies: bool,
}

/// Why a group has no queue.
#[derive(Debug)]
pub(crate) enum NoQueue {
    Unfit(Unfit),
    Refused(Refused),
}

impl<K: Kernel> Engine<K> {
    /// Gives a group a queue for zero-copy receive, with memory of its own of the same size. The sockets that do not have
    /// zero-copy receive go on with the group's slots.
    pub(crate) fn add_queue(
        &mut self,
        handle: &mut GroupHandle,
        source: Source,
        shape: Shape,
    ) -> Result<(), NoQueue> {
        self.kernel.receives_zero_copy().map_err(NoQueue::Unfit)?;
        let mut idle = self.idle_queues.iter();
        let fitting = idle.position(|pages| pages.would_serve(source, shape));
        let pages = match fitting {
            Some(place) => self.idle_queues.swap_remove(place),
            None => Pages::register(&mut *self.kernel, source, shape).map_err(NoQueue::Refused)?,
        };
        self.give_pages(handle, pages);
        Ok(())
    }

    /// The same without a device, and with memory that a test watches.
    #[cfg(test)]
    pub(in crate::sys::uring) fn add_queue_in(
        &mut self,
        handle: &mut GroupHandle,
        mapping: Mapping,
    ) -> Result<(), NoQueue> {
        self.kernel.receives_zero_copy().map_err(NoQueue::Unfit)?;
        let pages = Pages::register_in(&mut *self.kernel, Source::NoDevice, mapping);
        self.give_pages(handle, pages.map_err(NoQueue::Refused)?);
        Ok(())
    }

    fn give_pages(&mut self, handle: &mut GroupHandle, pages: Pages) {
        let starved = VecDeque::with_capacity(self.most_in_flight);
        if let Some((_, group)) = self.group_of(handle) {
            handle.pages = Some(PagesHandle {
                area: pages.area().clone(),
                counts_copies: pages.counts_copies(),
            });
            group.queue = Some(Queue { pages, starved });
        }
        self.note_areas();
    }

    /// Whether a receive that was not drained may write a page that somebody reads, once the ring is closed and the kernel
    /// has taken all pages back. Then it must not be closed; what that keeps for good is counted.
    pub(super) fn must_stay_open(&self) -> bool {
        #[cfg(test)]
        if seeded(Defect::CloseUnderReaders) {
            return false;
        }
        let mut must = false;
        for (number, group) in (0..).zip(&self.groups) {
            let Some(queue) = group.as_ref().and_then(|group| group.queue.as_ref()) else {
                continue;
            };
            let is_busy = self.flights.iter().any(
                |flight| matches!(flight, Flight::Receive(receive) if receive.takes_from(number)),
            );
            if is_busy && queue.pages.area().outstanding() > 0 {
                queue.pages.area().leak();
                must = true;
            }
        }
        must
    }
}

impl<K: Kernel> Engine<K> {
    /// What follows when the request of a zero-copy receive is over.
    pub(super) fn zero_copy_ended(&mut self, key: Key, shown: u32, result: i32) {
        let is_closing = self.closing;
        let Some(receive) = self.receive_mut(key) else {
            return;
        };
        let number = receive.group;
        receive.state = State::Waiting { is_first: false };
        let is_over = is_closing || receive.is_cancelled;
        let end = match zcrx::End::of(result) {
            _ if receive.is_broken => Some(End::Failed(libc::EPROTO)),
            zcrx::End::Closed => Some(End::Closed),
            zcrx::End::Cancelled => Some(End::Cancelled),
            zcrx::End::Failed(libc::EINTR)
            | zcrx::End::Starved
            | zcrx::End::Crowded
            | zcrx::End::Refused => is_over.then_some(End::Cancelled),
            zcrx::End::Failed(errno) => Some(End::Failed(errno)),
        };
        if let Some(end) = end {
            return self.end(key, end);
        }
        let Some(group) = self.group_mut(number) else {
            return;
        };
        let giving = group.giving();
        match (zcrx::End::of(result), &mut group.queue) {
            (zcrx::End::Starved, Some(queue)) => {
                group.counters.starved.add(1);
                // Pages that were given back since may be left. If none was, trying again would come to the same.
                if queue.pages.given() == shown {
                    queue.starved.push_back(key);
                    return;
                }
            }
            (zcrx::End::Refused, _) => {
                group.counters.stepped_down.add(1);
                if let (Some(receive), Ok(way)) =
                    (self.receive_mut(key), giving.way(libc::SOCK_STREAM))
                {
                    receive.way = way;
                    receive.no_queue = Some(NoWay::Refused(result.saturating_neg()));
                    receive.state = State::Waiting { is_first: true };
                }
            }
            _ => {}
        }
        self.waiting.push_back(key);
    }
}

impl Queue {
    /// Claims what a completion says was received. False if it says what cannot be.
    ///
    /// # Safety
    ///
    /// The kernel posted this completion, once, of a receive that names this queue.
    pub(super) unsafe fn take(
        &mut self,
        completion: &Completion,
        counters: &Counters,
        each: impl FnOnce(Taken),
    ) -> bool {
        let Completion {
            result,
            more,
            extra,
            ..
        } = *completion;
        counters.copied.add(self.pages.take_copied());
        // SAFETY: the caller's promise.
        match unsafe { self.pages.take(result, more, extra) } {
            Brought::Bytes(taken) => each(taken),
            Brought::Nothing => {}
            Brought::Misfit => return false,
        }
        true
    }
}

impl Group {
    /// Gives the kernel the pages that came back, and wakes the receives that waited for some.
    pub(super) fn offer_pages<K: Kernel>(&mut self, kernel: &mut K, waiting: &mut VecDeque<Key>) {
        let Some(Queue { pages, starved }) = &mut self.queue else {
            return;
        };
        if pages.offer(kernel) {
            waiting.append(starved);
        }
        self.counters.flushed.add(pages.take_flushes());
    }

    /// Whether a receive waits for a page.
    pub(super) fn is_queue_starved(&self) -> bool {
        let queue = self.queue.as_ref();
        queue.is_some_and(|queue| !queue.starved.is_empty())
    }
}

#[cfg(test)]
mod tests;
