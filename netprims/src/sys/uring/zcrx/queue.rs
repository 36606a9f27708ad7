use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::abi::{
    AREA_SHIFT, AreaRegistration, Control, Counters, EventDescription, FLUSH, NO_DEVICE,
    QueueRegistration, RegionDescription, USER_MEMORY, WITH_STATISTICS,
};
use super::arrival::{Arrival, Shape};
use super::provider::{Provider, Registration};
use super::refill::{Refill, Unregistered};
use super::support::Support;
use crate::sys::memory::{Mapping, page_size};

/// A queue that a ring has registered for zero-copy receive: how its completions are read, and how pages go back.
///
/// The kernel has no call that takes a registration back: it lasts as long as the ring. The pages stay pinned for as long,
/// so the area may be unmapped before.
///
/// When a ring is closed, the kernel takes every page back at once, those that this process still reads included, and a
/// receive that is still under way then may copy into them (`io_zcrx_scrub` and `io_unregister_zcrx` in
/// `io_uring/zcrx.c`). So the ring must not be closed before every receive has had its last completion, unless nothing of
/// the area is read any more.
#[derive(Debug)]
pub(crate) struct Queue {
    id: u32,
    shape: Shape,
    refill: Refill,
    /// Whether the kernel can be told to take what is in the refill ring.
    flushable: bool,
    /// How many entries may wait in the refill ring.
    flush_at: u32,
    flushes: u64,
}

/// Where the bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// From any TCP socket; all are copied (`ZCRX_REG_NODEV`).
    NoDevice,
    /// From a receive queue of a device.
    Device { interface: u32, queue: u32 },
}

/// A registration that was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: io::Error,
    pub(crate) source: Source,
    pub(crate) support: Support,
}

/// How long a queue may be busy because a ring that had it is still being taken down, which the kernel does in the
/// background.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

const PAUSE: Duration = Duration::from_millis(10);

impl Queue {
    /// Registers all of a mapping as the area that is received into, with a refill ring that has room for each of its
    /// pages twice, as far as the kernel allows. Tries again while the queue is busy, for as long as told.
    ///
    /// # Safety
    ///
    /// No reference to the area's bytes exists, nor comes to be before the ring is closed, except to the bytes of a
    /// [`Fragment`](super::Fragment) that was read from a completion and not given back.
    pub(crate) unsafe fn register(
        provider: &mut impl Provider,
        source: Source,
        area: &Mapping,
        patience: Duration,
    ) -> Result<Self, Refused> {
        let support = Support::ask(provider);
        // SAFETY: the caller's promise.
        unsafe { try_register(provider, source, &support, area, patience) }.map_err(|error| {
            Refused {
                error,
                source,
                support,
            }
        })
    }

    /// What a receive names the queue by.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Reads a completion of a receive from this queue.
    pub(crate) fn read(&self, result: i32, more: bool, extra: u64) -> Arrival {
        self.shape.read(result, more, extra)
    }

    /// Gives the page of one fragment back. The kernel may take it after the next [publish](Queue::publish). False if
    /// the refill ring is full or there is no such page; the fragment then stays out.
    ///
    /// # Safety
    ///
    /// A fragment in this page was read, its bytes are not used any more, and it was not given back before.
    pub(crate) unsafe fn give_back(&mut self, page: u32) -> bool {
        if page >= self.shape.pages() {
            return false;
        }
        let start = u64::from(page) * u64::from(self.shape.page_len);
        let offset = start | self.shape.token;
        // SAFETY: the kernel received into the page, and what it received is not used any more (the caller's promise).
        unsafe { self.refill.write(offset, self.shape.page_len) }
    }

    /// Hands over what was given back, and has the kernel take it if half of all pages wait for that. To be called once
    /// for many.
    ///
    /// # Errors
    ///
    /// The kernel refused to take it. What was given back stays in the refill ring.
    pub(crate) fn publish(&mut self, provider: &mut impl Provider) -> io::Result<()> {
        self.refill.publish();
        if self.refill.waiting() >= self.flush_at {
            return self.flush(provider);
        }
        Ok(())
    }

    /// Has the kernel take what was given back, now. Without a device it does not do that by itself; with one, when the
    /// device needs pages. Does nothing where the kernel cannot be told.
    pub(crate) fn flush(&mut self, provider: &mut impl Provider) -> io::Result<()> {
        self.refill.publish();
        if !self.flushable || self.refill.waiting() == 0 {
            return Ok(());
        }
        let mut control = Control {
            id: self.id,
            operation: FLUSH,
            ..Control::default()
        };
        provider.control(&mut control)?;
        self.flushes += 1;
        Ok(())
    }

    /// Whether something that was given back was not taken.
    pub(crate) fn has_waiting(&self) -> bool {
        self.refill.waiting() > 0
    }

    /// Whether the kernel can be told to take what was given back.
    pub(crate) fn can_flush(&self) -> bool {
        self.flushable
    }

    /// How many fragments were given back so far, wrapping.
    pub(crate) fn given(&self) -> u32 {
        self.refill.written()
    }

    /// How often the kernel was told to take pages back.
    pub(crate) fn flushes(&self) -> u64 {
        self.flushes
    }

    /// What the kernel copied, if it counts. The bytes in the head of a packet, which are copied as well, it does not
    /// count.
    pub(crate) fn counters(&self) -> Option<Counters> {
        self.refill.counters()
    }
}

/// # Safety
///
/// As for [`Queue::register`].
unsafe fn try_register(
    provider: &mut impl Provider,
    source: Source,
    support: &Support,
    area: &Mapping,
    patience: Duration,
) -> io::Result<Queue> {
    let memory = Unregistered::new(pages(area.len()).saturating_mul(2))?;
    let wanted = request(source, support, area, &memory);
    let start = Instant::now();
    let answer = loop {
        let mut request = wanted;
        // SAFETY: both ranges are mappings; of the refill region there are no references but to atomics, and of the area
        // only those the caller promises.
        match unsafe { provider.register_queue(&mut request) } {
            Ok(()) => break request,
            // A ring that is being closed gives the queue back in the background.
            Err(error)
                if error.raw_os_error() == Some(libc::EEXIST) && start.elapsed() < patience =>
            {
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    };
    accept(memory, &answer, area.len(), support)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EPROTO))
}

fn request(
    source: Source,
    support: &Support,
    area: &Mapping,
    memory: &Unregistered,
) -> Registration {
    let (interface, queue, flags) = match source {
        Source::NoDevice => (0, 0, NO_DEVICE),
        Source::Device { interface, queue } => (interface, queue, 0),
    };
    let Range { start, end } = range(area);
    let region = range(&memory.region);
    Registration {
        queue: QueueRegistration {
            interface,
            queue,
            entries: memory.count(),
            flags,
            ..QueueRegistration::default()
        },
        area: AreaRegistration {
            address: start,
            len: end - start,
            ..AreaRegistration::default()
        },
        region: RegionDescription {
            address: region.start,
            len: region.end - region.start,
            flags: USER_MEMORY,
            ..RegionDescription::default()
        },
        events: support.counters.then(|| EventDescription {
            flags: WITH_STATISTICS,
            counters_offset: u64::try_from(memory.counters_offset()).unwrap_or(0),
            ..EventDescription::default()
        }),
    }
}

/// The queue as the kernel has made it; `None` if that cannot be.
fn accept(
    memory: Unregistered,
    answer: &Registration,
    area_len: usize,
    support: &Support,
) -> Option<Queue> {
    let Registration { queue, area, .. } = answer;
    // Kernels before rx_buf_len leave it zero, and use pages.
    let page_len = match queue.page_len {
        0 => u32::try_from(page_size()?).ok()?,
        len => len,
    };
    let len = u64::try_from(area_len).ok()?;
    let is_sound = page_len.is_power_of_two()
        && len % u64::from(page_len) == 0
        && area.token.trailing_zeros() >= AREA_SHIFT;
    let refill = memory.registered(queue.entries, &queue.offsets, answer.events.is_some())?;
    let shape = Shape {
        len,
        page_len,
        token: area.token,
    };
    is_sound.then_some(Queue {
        id: queue.id,
        shape,
        flush_at: shape.pages().min(queue.entries).div_ceil(2),
        refill,
        flushable: support.flush,
        flushes: 0,
    })
}

fn range(mapping: &Mapping) -> Range<u64> {
    let start = mapping.base().as_ptr().expose_provenance();
    let [start, len] = [start, mapping.len()].map(|number| u64::try_from(number).unwrap_or(0));
    start..start.saturating_add(len)
}

fn pages(len: usize) -> u32 {
    let pages = page_size().and_then(|page| len.checked_div(page));
    pages
        .and_then(|pages| u32::try_from(pages).ok())
        .unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
