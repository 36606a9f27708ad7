use std::io;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use super::{Chunk, Event, ReceiveEnd, Ticket, TxBuf, Wait};
use crate::sys::uring::{self, Areas, Claim, Engine, Kernel, Listener, Outcome};
use crate::{Error, Result};

/// How often to enter the kernel for work it has put off before the caller gets its turn.
const MOST_ENTERS: u32 = 16;

/// How many events are told before the kernel is entered, and the caller gets its turn.
const MOST_EVENTS: usize = 65_536;

/// What a ring does with its engine, whichever kernel it runs on.
pub(super) struct Core<K: Kernel> {
    pub(super) engine: Engine<K>,
}

impl<K: Kernel> Core<K> {
    pub(super) fn new(engine: Engine<K>) -> Self {
        Self { engine }
    }

    /// See [`Ring::poll`](super::Ring::poll).
    #[cfg(test)]
    pub(super) fn poll(&mut self, wait: Wait, mut handler: impl FnMut(Event<'_>)) -> Result<usize> {
        self.poll_with(wait, |event, _| handler(event))
    }

    /// See [`Ring::poll_with`](super::Ring::poll_with).
    #[cfg(test)]
    pub(super) fn poll_with(
        &mut self,
        wait: Wait,
        mut handler: impl FnMut(Event<'_>, &mut Engine<K>),
    ) -> Result<usize> {
        self.poll_telling(wait, &mut handler)
    }

    /// See [`Ring::poll_with`](super::Ring::poll_with).
    pub(super) fn poll_telling(
        &mut self,
        wait: Wait,
        handler: &mut impl Handler<K>,
    ) -> Result<usize> {
        let deadline = match wait {
            // A time beyond what an Instant can hold is for ever.
            Wait::AtMost(limit) | Wait::Gather { limit, .. } => Instant::now().checked_add(limit),
            Wait::No | Wait::Forever => None,
        };
        let mut events = self.deliver(handler);
        loop {
            let block = match wait {
                Wait::Gather {
                    events: enough,
                    within,
                    ..
                } => self.gathering(events, enough, within, deadline),
                _ if events > 0 => None,
                _ => self.blocking(wait, deadline),
            };
            let entered = self.enter(block)?;
            events += self.deliver(handler);
            if events > 0 || block.is_none() {
                return Ok(events);
            }
            if !entered {
                std::thread::yield_now();
            }
        }
    }

    /// Polls until there is an event, or nothing that the kernel would do if it were entered: it puts work off after so much
    /// of it at a time, and rings no bell for what it has put off. A send to a peer that does not read can be put off again
    /// and again, and so seems to be one without copying whose socket was removed (seen: the kernel says that it has work
    /// for as long as the peer does not read). So this gives up after a while: then there
    /// [is work left](Engine::is_work_left).
    pub(super) fn poll_all(
        &mut self,
        wait: Wait,
        mut handler: impl FnMut(Event<'_>, &mut Engine<K>),
    ) -> Result<usize> {
        for _ in 0..MOST_ENTERS {
            let events = self.poll_telling(wait, &mut handler)?;
            if events > 0 || wait != Wait::No || !self.engine.is_work_left() {
                return Ok(events);
            }
        }
        Ok(0)
    }

    /// Whether the bell tells of whatever is next. If not, poll again.
    pub(super) fn can_wait_for_bell(&mut self) -> bool {
        !self.engine.is_work_left() && self.engine.listen()
    }

    /// How to block now, with so many events told already, until there are enough.
    fn gathering(
        &self,
        told: usize,
        enough: u32,
        within: Duration,
        deadline: Option<Instant>,
    ) -> Option<uring::Wait> {
        let left = match deadline {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None => uring::LONGEST_DRAIN,
        };
        let missing = enough.saturating_sub(u32::try_from(told).unwrap_or(u32::MAX));
        let is_over = left.is_zero() || missing == 0 || (told > 0 && self.engine.in_flight() == 0);
        (!is_over).then_some(uring::Wait::Gather {
            completions: missing,
            within,
            // There is one already: only for more.
            limit: if told > 0 { within.min(left) } else { left },
        })
    }

    /// How to block now; `None` once the time is over, and where waiting would never end.
    fn blocking(&self, wait: Wait, deadline: Option<Instant>) -> Option<uring::Wait> {
        match (wait, deadline) {
            (Wait::No, _) => None,
            (_, None) => (self.engine.in_flight() > 0).then_some(uring::Wait::Forever),
            (_, Some(deadline)) => {
                let left = deadline.saturating_duration_since(Instant::now());
                (left > Duration::ZERO).then_some(uring::Wait::AtMost(left))
            }
        }
    }

    /// Enters the kernel; false if something that passes by itself kept it from waiting.
    fn enter(&mut self, block: Option<uring::Wait>) -> Result<bool> {
        match self.engine.enter(block) {
            Ok(()) => Ok(true),
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(Error::system("io_uring_enter", "ring", error)),
        }
    }

    /// Tells what has happened. One completion is taken at a time, and what it brought stays in the engine until it is
    /// told, so a panicking handler loses nothing but the event it was given.
    ///
    /// It ends after [`MOST_EVENTS`]: where a thread of the kernel's does what a handler queues as fast as the handler
    /// queues it, there is always something more.
    fn deliver(&mut self, handler: &mut impl Handler<K>) -> usize {
        if !self.engine.has_news() {
            return 0;
        }
        let mut teller = Teller {
            handler,
            ring: self.engine.id(),
            areas: &self.engine.areas(),
        };
        let mut events = 0;
        // What is told next may be two.
        while events < MOST_EVENTS - 1 {
            match self.engine.tell_next(&mut teller) {
                0 => break,
                told => events += told,
            }
        }
        events
    }
}

/// Who is given the events, with the engine.
pub(super) trait Handler<K: Kernel> {
    fn handle(&mut self, event: Event<'_>, engine: &mut Engine<K>);
}

impl<K: Kernel, F: FnMut(Event<'_>, &mut Engine<K>)> Handler<K> for F {
    #[inline(always)]
    fn handle(&mut self, event: Event<'_>, engine: &mut Engine<K>) {
        self(event, engine);
    }
}

/// Tells a handler what happened, as events.
struct Teller<'a, H> {
    handler: &'a mut H,
    ring: u64,
    areas: &'a Areas,
}

impl<K: Kernel, H: Handler<K>> Listener<K> for Teller<'_, H> {
    const HEARS_ON: bool = true;

    #[inline(always)]
    fn hear(&mut self, engine: &mut Engine<K>, outcome: Outcome) {
        match event(self.ring, outcome) {
            Told::Event(event) => self.handler.handle(event, engine),
            Told::Chunk { ticket, claim } => {
                let mut lending = Lending { engine, claim };
                let chunk = Chunk::new(self.areas.lend(&mut lending.claim));
                self.handler
                    .handle(Event::Received { ticket, chunk }, lending.engine);
                lending.end();
            }
        }
    }
}

/// What a handler is lent. It goes back when the handler has returned or panicked, whatever became of the event.
struct Lending<'a, K: Kernel> {
    engine: &'a mut Engine<K>,
    claim: Claim,
}

impl<K: Kernel> Lending<'_, K> {
    /// The same as dropping it, where nobody panics: in place, rather than by a call.
    #[inline(always)]
    fn end(self) {
        let mut this = ManuallyDrop::new(self);
        let Self { engine, claim } = &mut *this;
        engine.end_claim(claim);
    }
}

impl<K: Kernel> Drop for Lending<'_, K> {
    #[cold]
    fn drop(&mut self) {
        self.engine.end_claim(&mut self.claim);
    }
}

/// What an outcome is to the handler.
enum Told {
    Event(Event<'static>),
    /// An event that lends it bytes.
    Chunk {
        ticket: Ticket,
        claim: Claim,
    },
}

#[inline(always)]
fn event(ring: u64, outcome: Outcome) -> Told {
    Told::Event(match outcome {
        Outcome::Received { key, claim } => {
            let ticket = Ticket::new(ring, key);
            return Told::Chunk { ticket, claim };
        }
        Outcome::ReceiveEnded { key, end } => Event::ReceiveEnded {
            ticket: Ticket::new(ring, key),
            end: ReceiveEnd::from(end),
        },
        Outcome::Sent { key, result } => {
            let result = result.map(to_usize).map_err(io::Error::from_raw_os_error);
            Event::Sent {
                ticket: Ticket::new(ring, key),
                result,
            }
        }
        Outcome::Accepted { key, fd } => Event::Accepted {
            ticket: Ticket::new(ring, key),
            fd,
        },
        Outcome::AcceptEnded { key, errno } => Event::AcceptEnded {
            ticket: Ticket::new(ring, key),
            error: io::Error::from_raw_os_error(errno),
        },
        Outcome::Connected { key, result } => Event::Connected {
            ticket: Ticket::new(ring, key),
            result: result.map_err(io::Error::from_raw_os_error),
        },
        Outcome::TimedOut { key, result } => Event::TimedOut {
            ticket: Ticket::new(ring, key),
            result: result.map_err(io::Error::from_raw_os_error),
        },
        Outcome::ShutDown { key, result } => Event::ShutDown {
            ticket: Ticket::new(ring, key),
            result: result.map_err(io::Error::from_raw_os_error),
        },
        Outcome::Released { key, released } => Event::Released {
            ticket: Ticket::new(ring, key),
            buf: TxBuf::new(released.slot),
            bytes: to_usize(released.bytes),
            usage: released.usage,
        },
    })
}

fn to_usize(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// EINTR: a signal. EBUSY: completions must be taken first. EAGAIN: the kernel is short of memory for the moment.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINTR | libc::EBUSY | libc::EAGAIN)
    )
}

#[cfg(test)]
mod tests;
