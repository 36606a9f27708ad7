use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use super::kernel::{Kernel, Received, leaves_parts};
use super::message::Message;
use super::state::{Limit, State};
use super::totals::Totals;
use super::window::{Piece, Window};
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::{Lent, Slot};
use crate::sys::usage::Usage;

/// Owns the slots that are in flight on one socket.
///
/// # Invariants
///
/// A slot that the kernel may read is in `flights`, as a [`Lent`], and its flight's `open` is the number of its sends in
/// `window` that are not done. It is taken back only when `open` is 0. A number of `window` is done when the kernel has
/// told it, once. `window` has the kernel's count: each counted send is in it, in order; while that is in doubt nothing
/// is sent without copying.
pub(crate) struct Engine<K: Kernel> {
    kernel: K,
    limits: Limits,
    /// By place; `None` for a free place. One more than can be in flight, for a plain send of which a part is left.
    flights: Vec<Option<Flight>>,
    free: Vec<usize>,
    window: Window,
    /// Flights that are over and were not told.
    over: VecDeque<usize>,
    /// Messages that came while something else was looked for.
    others: VecDeque<Message>,
    /// The flight of which the socket has not taken all.
    rest: Option<usize>,
    state: State,
    totals: Totals,
    tickets: u64,
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
}

struct Flight {
    lent: Lent,
    ticket: u64,
    /// Bytes the socket took.
    taken: usize,
    /// Of these, bytes that were copied.
    copied: usize,
    /// Its sends the kernel has not told to be done.
    open: usize,
    /// Nothing more of it will be sent.
    is_whole: bool,
}

/// What became of a buffer that was given to the socket.
pub(crate) enum Taken {
    /// It was copied.
    Copied(Slot),
    /// It comes back with [`Outcome::Released`]; so many bytes of it are not taken yet.
    Held { ticket: u64, rest: usize },
    /// Nothing was sent, as far as the answer goes, and the kernel may read it all the same. It comes back in the same
    /// way, if it does.
    Doubtful { ticket: u64, error: io::Error },
}

/// Why nothing was taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    Full(Limit),
    System(io::Error),
}

/// What happened.
pub(crate) enum Outcome {
    Released {
        ticket: u64,
        slot: Slot,
        bytes: usize,
        usage: Usage,
    },
    Other(Message),
}

/// Why a piece was not taken.
enum Failure {
    Refused(Refusal),
    /// The kernel may have counted it, and read it.
    Doubtful(io::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
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
            flights: (0..places).map(|_| None).collect(),
            free: (0..places).rev().collect(),
            window: Window::new(first, limits.in_flight.saturating_mul(PIECES)),
            over: VecDeque::with_capacity(places),
            others: VecDeque::new(),
            rest: None,
            state: State::ZeroCopy,
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
        self.state
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Buffers that were sent and not told to be released.
    pub(crate) fn in_flight(&self) -> usize {
        self.flights.len() - self.free.len()
    }

    /// Buffers the kernel may read.
    pub(crate) fn in_kernel(&self) -> usize {
        let flights = self.flights.iter().flatten();
        flights.filter(|flight| flight.open > 0).count()
    }

    /// Whether there is something to tell without asking the kernel.
    pub(crate) fn has_news(&self) -> bool {
        !self.over.is_empty() || !self.others.is_empty()
    }

    /// Bytes of a buffer that were given to the socket and not taken.
    pub(crate) fn rest(&self) -> usize {
        let flight = self.rest.and_then(|place| self.flight(place));
        flight.map_or(0, |flight| flight.lent.bytes().len() - flight.taken)
    }

    /// Sends a slot's bytes. With an error the slot is as it was, and its owner's.
    pub(crate) fn send(
        &mut self,
        slot: Slot,
        to: Option<SocketAddr>,
    ) -> Result<Taken, (Slot, Refusal)> {
        // What is left goes first, or the stream would miss it.
        match self.go_on() {
            Ok(0) => {}
            Ok(_) => return Err((slot, would_block())),
            Err(refusal) => return Err((slot, refusal)),
        }
        let len = slot.len();
        let Some(place) = self.free.pop() else {
            return Err((slot, Refusal::Full(Limit::InFlight)));
        };
        let ticket = self.tickets;
        let flight = Flight {
            lent: Lent::new(slot),
            ticket,
            taken: 0,
            copied: 0,
            open: 0,
            is_whole: false,
        };
        let Some(entry) = self.flights.get_mut(place) else {
            // Not reached: `free` holds places of `flights` only.
            return Err((flight.lent.take_back(), Refusal::Full(Limit::InFlight)));
        };
        *entry = Some(flight);
        match self.push(place, to) {
            Ok(()) => {}
            Err(Failure::Refused(refusal)) => {
                return match self.take(place) {
                    Some(flight) => Err((flight.lent.take_back(), refusal)),
                    // Not reached: it was put there above, and nothing of it is in the kernel.
                    None => Ok(Taken::Held { ticket, rest: 0 }),
                };
            }
            Err(Failure::Doubtful(error)) => {
                self.tickets += 1;
                return Ok(Taken::Doubtful { ticket, error });
            }
        }
        self.tickets += 1;
        self.totals.buffers += 1;
        let Some(flight) = self.flight_mut(place) else {
            return Ok(Taken::Held { ticket, rest: 0 });
        };
        let rest = len - flight.taken;
        flight.is_whole = rest == 0;
        #[cfg(test)]
        if seeded(Defect::ReturnAtSend) && flight.is_whole {
            flight.open = 0;
        }
        if rest > 0 {
            self.rest = Some(place);
        } else if let Some(flight) = self.take(place) {
            return Ok(Taken::Copied(flight.lent.take_back()));
        }
        Ok(Taken::Held { ticket, rest })
    }

    /// Goes on with what is left of a buffer. Returns how much still is.
    pub(crate) fn go_on(&mut self) -> Result<usize, Refusal> {
        let Some(place) = self.rest else {
            return Ok(0);
        };
        match self.push(place, None) {
            Ok(()) => {}
            Err(Failure::Refused(Refusal::System(error)))
                if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(Failure::Refused(refusal)) => return Err(refusal),
            // Of a stream nothing is in doubt.
            Err(Failure::Doubtful(error)) => return Err(Refusal::System(error)),
        }
        let rest = self.rest();
        if rest == 0 {
            self.rest = None;
            if let Some(flight) = self.flight_mut(place) {
                flight.is_whole = true;
                if flight.open == 0 {
                    self.over.push_back(place);
                }
            }
        }
        Ok(rest)
    }

    /// The next thing that happened; `None` if there is nothing more. Does not block.
    pub(crate) fn next(&mut self) -> io::Result<Option<Outcome>> {
        loop {
            if let Some(place) = self.over.pop_front() {
                if let Some(flight) = self.take(place) {
                    return Ok(Some(released(flight)));
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

    /// Ends all flights. A slot the kernel may read is freed with fresh pages, or leaked.
    pub(crate) fn abandon(&mut self) -> Abandoned {
        let mut abandoned = Abandoned::default();
        for flight in self.flights.iter_mut().filter_map(Option::take) {
            #[cfg(test)]
            let open = if seeded(Defect::FreeAtClose) {
                0
            } else {
                flight.open
            };
            #[cfg(not(test))]
            let open = flight.open;
            if open == 0 {
                drop(flight.lent.take_back());
            } else if flight.lent.leave_pages() {
                abandoned.renewed += 1;
            } else {
                abandoned.leaked += 1;
            }
        }
        self.free.clear();
        self.over.clear();
        self.rest = None;
        abandoned
    }

    /// Whether the socket is a byte stream.
    pub(crate) fn is_stream(&self) -> bool {
        self.kernel.is_stream()
    }

    /// Gives up sending what is left of a buffer. The buffer comes back here, unless the kernel reads a part of it.
    pub(crate) fn give_up(&mut self) -> Option<Outcome> {
        let place = self.rest.take()?;
        self.flight_mut(place)?.is_whole = true;
        self.take(place).map(released)
    }

    fn flight(&self, place: usize) -> Option<&Flight> {
        self.flights.get(place)?.as_ref()
    }

    fn flight_mut(&mut self, place: usize) -> Option<&mut Flight> {
        self.flights.get_mut(place)?.as_mut()
    }

    /// Takes a flight out, if the kernel does not read its memory.
    fn take(&mut self, place: usize) -> Option<Flight> {
        let flight = self
            .flights
            .get_mut(place)?
            .take_if(|flight| flight.open == 0)?;
        self.free.push(place);
        Some(flight)
    }

    /// Gives the socket what it has not taken of a flight, once.
    fn push(&mut self, place: usize, to: Option<SocketAddr>) -> Result<(), Failure> {
        if self.is_for_zero_copy(place)? && self.push_zero_copy(place, to)? {
            return Ok(());
        }
        let Self {
            kernel, flights, ..
        } = self;
        let Some(flight) = flights.get_mut(place).and_then(Option::as_mut) else {
            return Ok(());
        };
        let left = flight.lent.bytes().get(flight.taken..).unwrap_or_default();
        let taken = kernel.send(left, to, false).map_err(Refusal::System)?;
        // A kernel that claims more than it was given is not believed.
        let taken = taken.min(left.len());
        flight.taken += taken;
        flight.copied += taken;
        self.totals.plain += number(taken);
        Ok(())
    }

    /// Whether what is left of a flight is to be sent without copying.
    fn is_for_zero_copy(&mut self, place: usize) -> Result<bool, Refusal> {
        let Some(flight) = self.flight(place) else {
            return Ok(false);
        };
        let left = flight.lent.bytes().len() - flight.taken;
        let is_wanted = left > 0 && left >= self.limits.threshold;
        if !is_wanted || self.state != State::ZeroCopy {
            return Ok(false);
        }
        // The last place is for a plain send.
        if !self.free.is_empty() && !self.window.is_full() {
            return Ok(true);
        }
        self.full(Limit::InFlight).map(|()| false)
    }

    /// What to do where there is no room for a zero-copy send: a plain one, or none.
    fn full(&mut self, limit: Limit) -> Result<(), Refusal> {
        if !self.limits.copies_when_full {
            return Err(Refusal::Full(limit));
        }
        self.totals.full += 1;
        Ok(())
    }

    /// Gives the socket what it has not taken of a flight, without copying. False if it is to be copied instead.
    fn push_zero_copy(&mut self, place: usize, to: Option<SocketAddr>) -> Result<bool, Failure> {
        let Self {
            kernel, flights, ..
        } = self;
        let Some(flight) = flights.get_mut(place).and_then(Option::as_mut) else {
            return Ok(false);
        };
        let left = flight.lent.bytes().get(flight.taken..).unwrap_or_default();
        let error = match kernel.send(left, to, true) {
            Ok(taken) => {
                let bytes = taken.min(left.len());
                flight.taken += bytes;
                flight.open += 1;
                self.window.push(Piece { place, bytes });
                return Ok(true);
            }
            Err(error) => error,
        };
        #[cfg(test)]
        let is_exact = self.kernel.is_stream() || seeded(Defect::MiscountFailures);
        #[cfg(not(test))]
        let is_exact = self.kernel.is_stream();
        let is_exact = is_exact || never_reached_a_socket(&error);
        let was_counted = !is_exact && self.was_counted(place, &error)?;
        match error.raw_os_error() {
            // An upper-layer protocol such as kernel TLS.
            Some(libc::EOPNOTSUPP) if !was_counted => {
                self.state = State::Refused;
                Ok(false)
            }
            Some(libc::ENOBUFS) if !was_counted => {
                self.full(Limit::Kernel)?;
                Ok(false)
            }
            _ => Err(Refusal::System(error).into()),
        }
    }

    /// Whether the kernel counted a datagram that it failed to send.
    fn was_counted(&mut self, place: usize, error: &io::Error) -> Result<bool, Failure> {
        if let Some(flight) = self.flight_mut(place) {
            flight.open += 1;
        }
        self.window.push(Piece { place, bytes: 0 });
        // If it was, and nothing of it is left, its notification is there.
        let read = loop {
            match self.kernel.message() {
                Ok(Some(received)) => self.absorb(received),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if self.flight(place).is_none_or(|flight| flight.open == 0) {
            return Ok(true);
        }
        let errno = error.raw_os_error().unwrap_or(0);
        if read
            && self.state == State::ZeroCopy
            && !leaves_parts(errno, self.kernel.tells_device_errors())
        {
            self.window.take_back();
            if let Some(flight) = self.flight_mut(place) {
                flight.open -= 1;
            }
            return Ok(false);
        }
        if self.state == State::ZeroCopy {
            self.state = State::InDoubt;
        }
        if let Some(flight) = self.flight_mut(place) {
            flight.is_whole = true;
        }
        Err(Failure::Doubtful(io::Error::from_raw_os_error(errno)))
    }

    /// Takes in what the error queue says.
    fn absorb(&mut self, received: Received) {
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
            ..
        } = self;
        let told = window.complete(first, last, |Piece { place, bytes }| {
            let Some(flight) = flights.get_mut(place).and_then(Option::as_mut) else {
                return;
            };
            flight.open = flight.open.saturating_sub(1);
            if copied {
                flight.copied += bytes;
                totals.copied += number(bytes);
            } else {
                totals.zero_copied += number(bytes);
            }
            #[cfg(test)]
            let is_whole = flight.is_whole || seeded(Defect::ReleaseAtFirstPiece);
            #[cfg(not(test))]
            let is_whole = flight.is_whole;
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

/// What became of the slots of which the kernel had not let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abandoned {
    /// Free again, with fresh pages.
    pub(crate) renewed: usize,
    pub(crate) leaked: usize,
}

fn released(flight: Flight) -> Outcome {
    let usage = match (flight.taken, flight.copied) {
        (0, _) => Usage::NotSent,
        (_, 0) => Usage::ZeroCopied,
        _ => Usage::Copied,
    };
    Outcome::Released {
        ticket: flight.ticket,
        slot: flight.lent.take_back(),
        bytes: flight.taken,
        usage,
    }
}

fn never_reached_a_socket(error: &io::Error) -> bool {
    let errnos = [libc::EBADF, libc::ENOTSOCK].map(Some);
    errnos.contains(&error.raw_os_error())
}

fn would_block() -> Refusal {
    Refusal::System(io::Error::from_raw_os_error(libc::EAGAIN))
}

fn number(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
