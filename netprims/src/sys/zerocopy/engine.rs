use std::collections::VecDeque;
use std::io;

use super::flights::{Abandoned, Flights, Landed};
use super::kernel::{Kernel, Received};
use super::message::Message;
use super::outcome::Outcome;
use super::state::State;
use super::totals::Totals;
use super::window::{Piece, Window};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};

/// Owns the slots that are in flight on one socket.
///
/// # Invariants
///
/// A slot that the kernel may read is in `flights`, and its flight's `open` is the number of its sends in `window` that
/// are not done. A number of `window` is done when the kernel has told it, once. `window` has the kernel's count: each
/// counted send is in it, in order; while that is in doubt nothing is sent without copying.
pub(crate) struct Engine<K: Kernel> {
    pub(super) kernel: K,
    pub(super) limits: Limits,
    /// One place more than can be in flight, for a plain send of which a part is left.
    pub(super) flights: Flights,
    pub(super) window: Window,
    /// Flights that are over and were not told.
    pub(super) over: VecDeque<usize>,
    /// Messages that came while something else was looked for.
    others: VecDeque<Message>,
    /// The flight of which the socket has not taken all.
    pub(super) rest: Option<usize>,
    pub(super) state: State,
    /// Zero-copy sends in a row that the kernel copied.
    copied_in_a_row: u32,
    /// Sends that were plain because of them, since the last that was not.
    pub(super) given_up: u32,
    pub(super) totals: Totals,
    pub(super) tickets: u64,
}

/// What a user may choose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Sends of fewer bytes are plain.
    pub(crate) threshold: usize,
    /// Most buffers in flight.
    pub(crate) in_flight: usize,
    /// A send for which there is no room is plain; otherwise it is refused.
    pub(crate) copies_when_full: bool,
    /// After so many sends in a row that were copied all the same most are plain; 0 for never.
    pub(crate) give_up_after: u32,
}

/// Sends that can be in the window for each buffer: a stream may take a buffer in several.
const PIECES: usize = 4;

/// Messages read while dropping, beside those there can be of sends.
const LAST_MESSAGES: usize = 256;

impl<K: Kernel> Engine<K> {
    /// With a socket none of whose sends the kernel has counted.
    pub(crate) fn new(kernel: K, limits: Limits) -> Self {
        Self::counting_from(0, kernel, limits)
    }

    pub(super) fn counting_from(first: u32, kernel: K, limits: Limits) -> Self {
        let places = limits.in_flight.saturating_add(1);
        Self {
            kernel,
            limits,
            flights: Flights::new(places),
            window: Window::new(first, limits.in_flight.saturating_mul(PIECES)),
            over: VecDeque::with_capacity(places),
            others: VecDeque::new(),
            rest: None,
            state: State::ZeroCopy,
            copied_in_a_row: 0,
            given_up: 0,
            totals: Totals::default(),
            tickets: 0,
        }
    }

    pub(crate) fn kernel(&self) -> &K {
        &self.kernel
    }

    #[cfg(test)]
    pub(super) fn kernel_mut(&mut self) -> &mut K {
        &mut self.kernel
    }

    pub(crate) fn state(&self) -> State {
        match self.state {
            State::ZeroCopy if self.has_given_up() => State::GivenUp,
            state => state,
        }
    }

    /// Whether zero-copy sends are copied all the same, as far as the last ones tell.
    pub(super) fn has_given_up(&self) -> bool {
        let limit = self.limits.give_up_after;
        limit != 0 && self.copied_in_a_row >= limit
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Buffers that were sent and not told to be released.
    pub(crate) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Buffers the kernel will give back: not one whose sending is in doubt.
    pub(crate) fn awaited(&self) -> usize {
        let flights = self.flights.iter();
        flights
            .filter(|flight| flight.is_in_kernel() && !flight.is_doubtful)
            .count()
    }

    /// Whether there is something to tell without asking the kernel.
    pub(crate) fn has_news(&self) -> bool {
        !self.over.is_empty() || !self.others.is_empty()
    }

    /// Bytes of a buffer that were given to the socket and not taken.
    pub(crate) fn rest(&self) -> usize {
        let flight = self.rest.and_then(|place| self.flights.get(place));
        flight.map_or(0, |flight| flight.left().len())
    }

    /// The next thing that happened; `None` if there is nothing more. Does not block.
    pub(crate) fn next(&mut self) -> io::Result<Option<Outcome>> {
        loop {
            if let Some(place) = self.over.pop_front() {
                if let Some(landed) = self.flights.land(place) {
                    return Ok(Some(released(landed)));
                }
            }
            if let Some(message) = self.others.pop_front() {
                return Ok(Some(Outcome::Other(message)));
            }
            match self.kernel.message()? {
                None => return Ok(None),
                Some(received) => self.absorb(received),
            }
        }
    }

    /// Takes what may be in the error queue in, without telling it. Whether there was something.
    pub(crate) fn look(&mut self) -> io::Result<bool> {
        let received = self.kernel.message()?;
        let is_there = received.is_some();
        if let Some(received) = received {
            self.absorb(received);
        }
        Ok(is_there)
    }

    /// Ends all flights. A slot the kernel may read is freed with fresh pages, or leaked.
    pub(crate) fn abandon(&mut self) -> Abandoned {
        self.over.clear();
        self.rest = None;
        self.flights.abandon()
    }

    /// Whether the socket is a byte stream.
    pub(crate) fn is_stream(&self) -> bool {
        self.kernel.is_stream()
    }

    /// Gives up sending what is left of a buffer. The buffer comes back here, unless the kernel reads a part of it.
    pub(crate) fn give_up(&mut self) -> Option<Outcome> {
        let place = self.rest.take()?;
        self.flights.get_mut(place)?.is_whole = true;
        self.flights.land(place).map(released)
    }

    /// Takes in what the error queue says.
    pub(super) fn absorb(&mut self, received: Received) {
        let (first, last, copied) = match received {
            Received::Other(message) => return self.others.push_back(message),
            Received::Done {
                first,
                last,
                copied,
            } => (first, last, copied),
        };
        // Once the kernel's count is not this one, no number means anything.
        if self.state == State::Disturbed {
            self.totals.strays += 1;
            return;
        }
        #[cfg(test)]
        let first = if seeded(Defect::ReleaseUpToTheLast) {
            self.window.first()
        } else {
            first
        };
        let Self {
            window,
            flights,
            over,
            totals,
            copied_in_a_row,
            ..
        } = self;
        let told = window.complete(first, last, |Piece { place, bytes }| {
            let Some(flight) = flights.get_mut(place) else {
                return;
            };
            flight.open = flight.open.saturating_sub(1);
            if copied {
                flight.copied += bytes;
                totals.copied += number(bytes);
                *copied_in_a_row = copied_in_a_row.saturating_add(1);
            } else {
                totals.zero_copied += number(bytes);
                *copied_in_a_row = 0;
            }
            let is_whole = flight.is_whole;
            #[cfg(test)]
            let is_whole = is_whole || seeded(Defect::ReleaseAtFirstPiece);
            if is_whole && flight.open == 0 {
                over.push_back(place);
            }
        });
        match told {
            Err(_) => {
                self.totals.strays += 1;
                self.state = State::Disturbed;
            }
            // The doubtful one is the newest: it was counted after all.
            Ok(()) if self.state == State::InDoubt && self.window.newest_is_done() => {
                self.state = State::ZeroCopy;
            }
            Ok(()) => {}
        }
    }
}

impl<K: Kernel> Drop for Engine<K> {
    /// Takes what has come back, and leaves to the kernel what has not. Does not wait.
    fn drop(&mut self) {
        let most = self.limits.in_flight.saturating_add(LAST_MESSAGES);
        for _ in 0..most {
            let Ok(Some(received)) = self.kernel.message() else {
                break;
            };
            self.absorb(received);
        }
        self.abandon();
    }
}

fn released(landed: Landed) -> Outcome {
    Outcome::Released {
        ticket: landed.ticket,
        slot: landed.slot,
        bytes: landed.bytes,
        usage: landed.usage,
    }
}

pub(super) fn number(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
