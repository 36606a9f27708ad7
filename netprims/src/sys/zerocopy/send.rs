//! Giving buffers to the socket.

use std::io;
use std::net::SocketAddr;

use super::engine::{Engine, number};
use super::kernel::{Kernel, is_never_counted, may_leave_parts};
use super::outcome::{Outcome, Refusal, Taken};
use super::state::{Limit, State};
use super::window::Piece;
#[cfg(test)]
use crate::sys::defect::{Defect, seeded};
use crate::sys::memory::Slot;

/// Of so many sends that could be zero-copy one is, to see whether the kernel still copies.
const RETRY: u32 = 256;

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

impl<K: Kernel> Engine<K> {
    /// Sends a slot's bytes. With an error the slot is as it was, and its owner's.
    pub(crate) fn send(
        &mut self,
        slot: Slot,
        to: Option<SocketAddr>,
    ) -> Result<Taken, (Slot, Refusal)> {
        // What is left goes first, or the stream would miss it.
        if self.rest.is_some() {
            return Err((slot, Refusal::would_block()));
        }
        let ticket = self.tickets;
        let place = match self.flights.insert(slot, ticket) {
            Ok(place) => place,
            Err(slot) => return Err((slot, Refusal::Full(Limit::InFlight))),
        };
        match self.push(place, to) {
            Ok(()) => {}
            Err(Failure::Refused(refusal)) => {
                return match self.flights.land(place) {
                    Some(landed) => Err((landed.slot, refusal)),
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
        let Some(flight) = self.flights.get_mut(place) else {
            return Ok(Taken::Held { ticket, rest: 0 });
        };
        let rest = flight.left().len();
        if rest > 0 {
            self.rest = Some(place);
            return Ok(Taken::Held { ticket, rest });
        }
        flight.is_whole = true;
        #[cfg(test)]
        if seeded(Defect::ReturnAtSend) {
            flight.open = 0;
        }
        Ok(match self.flights.land(place) {
            Some(landed) => Taken::Copied(landed.slot),
            None => Taken::Held { ticket, rest },
        })
    }

    /// Goes on with what is left of a buffer. Returns the buffer if nothing is, and the kernel reads no part of it: no
    /// notification will tell.
    pub(crate) fn go_on(&mut self) -> Result<Option<Outcome>, Refusal> {
        let Some(place) = self.rest else {
            return Ok(None);
        };
        match self.push(place, None) {
            Ok(()) => {}
            Err(Failure::Refused(Refusal::System(error)))
                if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(Failure::Refused(refusal)) => return Err(refusal),
            // Not reached: of a stream nothing is in doubt.
            Err(Failure::Doubtful(error)) => return Err(Refusal::System(error)),
        }
        if self.rest() > 0 {
            return Ok(None);
        }
        Ok(self.give_up())
    }

    /// Gives the socket what it has not taken of a flight, once.
    fn push(&mut self, place: usize, to: Option<SocketAddr>) -> Result<(), Failure> {
        let why = match self.why_plain(place, to)? {
            None => match self.push_zero_copy(place, to)? {
                None => {
                    self.given_up = 0;
                    return Ok(());
                }
                Some(why) => why,
            },
            Some(why) => why,
        };
        let Some(flight) = self.flights.get_mut(place) else {
            return Ok(());
        };
        let sent = self.kernel.send(flight.left(), to, false);
        // A kernel that claims more than it was given is not believed.
        let taken = sent.map_err(Refusal::System)?.min(flight.left().len());
        flight.taken += taken;
        flight.copied += taken;
        self.totals.plain += number(taken);
        match why {
            Plain::Better => {}
            Plain::GivenUp => self.given_up += 1,
            Plain::Full => self.totals.full += 1,
        }
        Ok(())
    }

    /// Whether, and why, what is left of a flight is to be sent plainly.
    fn why_plain(&self, place: usize, to: Option<SocketAddr>) -> Result<Option<Plain>, Refusal> {
        let left = self
            .flights
            .get(place)
            .map_or(0, |flight| flight.left().len());
        let is_wanted = left > 0 && left >= self.limits.threshold;
        if !is_wanted || self.state != State::ZeroCopy {
            return Ok(Some(Plain::Better));
        }
        if !self.kernel.is_stream() && self.kernel.is_cut(left, to) {
            return Ok(Some(Plain::Better));
        }
        if self.has_given_up() && self.given_up + 1 < RETRY {
            return Ok(Some(Plain::GivenUp));
        }
        // The last place is for a plain send.
        if !self.flights.is_full() && !self.window.is_full() {
            return Ok(None);
        }
        self.full(Limit::InFlight).map(Some)
    }

    /// What to do where there is no room for a zero-copy send: a plain one, or none.
    fn full(&self, limit: Limit) -> Result<Plain, Refusal> {
        if self.limits.copies_when_full {
            Ok(Plain::Full)
        } else {
            Err(Refusal::Full(limit))
        }
    }

    /// Gives the socket what it has not taken of a flight, without copying, or says why it is to be copied instead.
    fn push_zero_copy(
        &mut self,
        place: usize,
        to: Option<SocketAddr>,
    ) -> Result<Option<Plain>, Failure> {
        let Some(flight) = self.flights.get_mut(place) else {
            return Ok(None);
        };
        let is_stream = self.kernel.is_stream();
        let mut sent = self.kernel.send(flight.left(), to, true);
        // The socket, or an ICMP message: that is told once.
        if is_stream && errno_of(&sent) == libc::EOPNOTSUPP {
            sent = self.kernel.send(flight.left(), to, true);
        }
        let errno = errno_of(&sent);
        let error = match sent {
            Ok(taken) => {
                let bytes = taken.min(flight.left().len());
                flight.taken += bytes;
                flight.open += 1;
                self.window.push(Piece { place, bytes });
                return Ok(None);
            }
            Err(error) => error,
        };
        let is_exact = is_stream || is_never_counted(errno, self.kernel.tells_device_errors());
        #[cfg(test)]
        let is_exact = is_exact || seeded(Defect::MiscountFailures);
        let was_counted = !is_exact && self.was_counted(place, to, errno)?;
        match errno {
            // An upper-layer protocol such as kernel TLS.
            libc::EOPNOTSUPP if is_stream => {
                self.state = State::Refused;
                Ok(Some(Plain::Better))
            }
            libc::ENOBUFS if !was_counted => Ok(Some(self.full(Limit::Kernel)?)),
            _ => Err(Refusal::System(error).into()),
        }
    }

    /// Whether the kernel counted a datagram that it failed to send.
    fn was_counted(
        &mut self,
        place: usize,
        to: Option<SocketAddr>,
        errno: i32,
    ) -> Result<bool, Failure> {
        let Some(flight) = self.flights.get_mut(place) else {
            return Ok(true);
        };
        flight.open += 1;
        let bytes = flight.left().len();
        self.window.push(Piece { place, bytes: 0 });
        // If it was, and nothing of it is left, its notification is there.
        let is_read = loop {
            match self.kernel.message() {
                Ok(Some(received)) => self.absorb(received),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let may_come = !is_read || may_leave_parts(errno) && !self.kernel.is_one_packet(bytes, to);
        let Some(flight) = self.flights.get_mut(place) else {
            return Ok(true);
        };
        if flight.open == 0 {
            return Ok(true);
        }
        if self.state == State::ZeroCopy && !may_come {
            flight.open -= 1;
            self.window.take_back();
            return Ok(false);
        }
        flight.is_whole = true;
        flight.is_doubtful = true;
        if self.state == State::ZeroCopy {
            self.state = State::InDoubt;
        }
        Err(Failure::Doubtful(io::Error::from_raw_os_error(errno)))
    }
}

/// Why a send is plain.
enum Plain {
    /// It is meant to be.
    Better,
    /// Those before were copied all the same.
    GivenUp,
    /// There is no room for another that is not.
    Full,
}

fn errno_of(sent: &io::Result<usize>) -> i32 {
    let error = sent.as_ref().err();
    error.and_then(io::Error::raw_os_error).unwrap_or(0)
}
