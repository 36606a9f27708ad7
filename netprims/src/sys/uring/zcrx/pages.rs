use std::io;
use std::time::{Duration, Instant};

use super::arrival::{Arrival, End, Fragment};
use super::provider::Provider;
use super::queue::{PATIENCE, Queue, Refused, Source};
use super::support::Support;
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::{Mapping, Shape, page_size};
use crate::sys::uring::rx::{Area, Taken};

/// A registered queue with the memory it receives into. Its slots are the kernel's pages.
///
/// A fragment that the kernel tells is claimed, and its page is given back for it when the claim has come back.
///
/// # Invariants
///
/// `back` counts, page by page, claims to this area that were made and came back and that no refill entry was written
/// for. `pending` has the pages where that is not zero, each once.
#[derive(Debug)]
pub(crate) struct Pages {
    source: Source,
    area: Area,
    queue: Queue,
    back: Box<[u32]>,
    pending: Vec<u32>,
    /// A receive found no free page: what lies in the refill ring is worth a system call now.
    is_wanted: bool,
    /// When the kernel was last asked for pages without a sign that it has some.
    asked: Option<Instant>,
    /// What of the queue's counts was asked for before.
    flushes_seen: u64,
    copied_seen: u64,
}

/// How long at least between asking for pages and asking again.
const PAUSE: Duration = Duration::from_millis(1);

/// What a completion brought.
#[derive(Debug)]
pub(crate) enum Brought {
    Bytes(Taken),
    /// Nothing; the request is over.
    Nothing,
    /// It says what cannot be.
    Misfit,
}

impl Pages {
    /// Registers a queue with memory of its own, as much as the shape has.
    pub(crate) fn register(
        provider: &mut impl Provider,
        source: Source,
        shape: Shape,
    ) -> Result<Self, Refused> {
        let refused = |error| refused(source, error);
        let shape = pages_of(shape).ok_or_else(|| refused(errno(libc::ENOMEM)))?;
        let mapping = Mapping::anonymous(shape.bytes()).map_err(refused)?;
        Self::register_in(provider, source, mapping)
    }

    /// The same with all of a mapping.
    pub(in crate::sys::uring) fn register_in(
        provider: &mut impl Provider,
        source: Source,
        mapping: Mapping,
    ) -> Result<Self, Refused> {
        // SAFETY: bytes of the mapping are read through claims alone, each made for a fragment. A page is given back only
        // as often as such claims to it came back (invariant). The engine, which owns this, closes no ring while a
        // receive is under way and something may be claimed.
        let queue = unsafe { Queue::register(provider, source, &mapping, PATIENCE) }?;
        let area = Shape::of_pages(queue.shape().pages(), queue.shape().page_len)
            .map(|shape| Area::new(mapping, shape))
            .ok_or_else(|| refused(source, errno(libc::EPROTO)))?;
        let pages = usize::try_from(area.slots()).unwrap_or(0);
        Ok(Self {
            source,
            area,
            queue,
            back: vec![0; pages].into(),
            pending: Vec::with_capacity(pages),
            is_wanted: false,
            asked: None,
            flushes_seen: 0,
            copied_seen: 0,
        })
    }

    pub(crate) fn area(&self) -> &Area {
        &self.area
    }

    /// What a receive names it by.
    pub(crate) fn id(&self) -> u32 {
        self.queue.id()
    }

    /// Whether it is what somebody would register, and nobody reads what was received into it.
    pub(crate) fn would_serve(&self, source: Source, shape: Shape) -> bool {
        let slots = pages_of(shape).map(|shape| shape.slots());
        self.source == source && slots == Some(self.area.slots()) && self.area.outstanding() == 0
    }

    /// Takes what a completion brought.
    ///
    /// # Safety
    ///
    /// The kernel posted this completion, once, of a receive that names this queue.
    pub(in crate::sys::uring) unsafe fn take(
        &mut self,
        result: i32,
        more: bool,
        extra: u64,
    ) -> Brought {
        match self.queue.read(result, more, extra) {
            Arrival::Fragment(Fragment { page, start, len }) => {
                // SAFETY: the kernel received into the page, and does not until as many refill entries name it as it told
                // fragments of it. An entry is written for a claim that came back, and for no other (invariant), so one
                // is missing for as long as this claim exists.
                let taken = unsafe { self.area.claim(page, start, len) };
                #[cfg(test)]
                if seeded(Defect::RefillWhatIsRead) {
                    came_back(&mut self.back, &mut self.pending, page, 1);
                }
                taken.map_or(Brought::Misfit, Brought::Bytes)
            }
            Arrival::End(end) => {
                self.is_wanted |= end == End::Starved;
                Brought::Nothing
            }
            Arrival::Stray => Brought::Misfit,
        }
    }

    /// Ends a claim.
    pub(crate) fn give_back(&mut self, taken: Taken) {
        if let Some(page) = self.area.give_back(taken) {
            came_back(&mut self.back, &mut self.pending, page, 1);
        }
    }

    /// Hands the kernel the pages that came back; true if it may have free ones now that it had not before.
    pub(crate) fn offer(&mut self, provider: &mut impl Provider) -> bool {
        let Self {
            area,
            back,
            pending,
            ..
        } = self;
        area.collect(|page, pieces| came_back(back, pending, page, pieces));
        let mut has_more = self.write_entries();
        // What the kernel refuses to take lies in the ring until the next time.
        let _ = self.queue.publish(provider);
        if !self.pending.is_empty() && self.queue.flush(provider).is_ok() {
            has_more |= self.write_entries();
            let _ = self.queue.publish(provider);
        }
        if self.is_wanted && self.queue.has_waiting() {
            has_more |= self.queue.flush(provider).is_ok();
        }
        // A kernel that cannot be told takes the pages when its device needs some, and says nothing: it is asked now and
        // then.
        if self.is_wanted && !self.queue.can_flush() && !has_more {
            let is_time = self.asked.is_none_or(|asked| asked.elapsed() >= PAUSE);
            if is_time {
                self.asked = Some(Instant::now());
                has_more = true;
            }
        }
        self.is_wanted &= !has_more;
        has_more
    }

    /// Whether the kernel may get pages and not tell: it cannot be told to take those that were given back, or did not.
    pub(crate) fn must_be_asked(&self) -> bool {
        !self.queue.can_flush() || self.queue.has_waiting()
    }

    /// How many entries were written so far, wrapping: tells whether any was since another time.
    pub(crate) fn given(&self) -> u32 {
        self.queue.given()
    }

    /// How often the kernel was told to take pages back, since the last time.
    pub(crate) fn take_flushes(&mut self) -> u64 {
        let seen = std::mem::replace(&mut self.flushes_seen, self.queue.flushes());
        self.queue.flushes().wrapping_sub(seen)
    }

    /// Whether the kernel counts what it copies.
    pub(crate) fn counts_copies(&self) -> bool {
        self.queue.counters().is_some()
    }

    /// Bytes that the kernel has copied since the last time.
    pub(crate) fn take_copied(&mut self) -> u64 {
        let copied = self.queue.counters().map_or(0, |counters| counters.bytes);
        let seen = std::mem::replace(&mut self.copied_seen, copied);
        copied.wrapping_sub(seen)
    }

    /// Writes a refill entry for each claim that came back, as far as there is room. True if there was one.
    fn write_entries(&mut self) -> bool {
        let mut any = false;
        while let Some(page) = self.pending.last().copied() {
            let Some(count) = count_of(&mut self.back, page) else {
                self.pending.pop();
                continue;
            };
            while *count > 0 {
                // SAFETY: a claim to the page came back, and no entry was written for it (invariant): the count says so,
                // and is lowered for every entry.
                if !unsafe { self.queue.give_back(page) } {
                    return any;
                }
                *count -= 1;
                any = true;
            }
            self.pending.pop();
        }
        any
    }
}

fn came_back(back: &mut [u32], pending: &mut Vec<u32>, page: u32, pieces: u32) {
    let Some(count) = count_of(back, page) else {
        return;
    };
    if *count == 0 && pieces > 0 {
        // Has room for all pages, and none is in it twice.
        pending.push(page);
    }
    *count = count.saturating_add(pieces);
}

fn count_of(back: &mut [u32], page: u32) -> Option<&mut u32> {
    back.get_mut(usize::try_from(page).ok()?)
}

/// As many pages as the shape has bytes for.
fn pages_of(shape: Shape) -> Option<Shape> {
    let page = page_size()?;
    let pages = shape.bytes().get().div_ceil(page);
    Shape::of_pages(u32::try_from(pages).ok()?, u32::try_from(page).ok()?)
}

fn refused(source: Source, error: io::Error) -> Refused {
    Refused {
        error,
        source,
        support: Support::default(),
    }
}

fn errno(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

#[cfg(test)]
mod tests;
