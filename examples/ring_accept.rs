//! A listener on a ring, which takes connections while there is room for them and outlives what passes.

use std::io;
use std::os::fd::OwnedFd;

use netprims::ring::{Ring, Socket, Ticket};
use netprims::{Error, Result};

use super::accept_error::{AcceptError, PAUSE};

pub(crate) struct Accepting {
    listener: Socket,
    state: State,
}

enum State {
    /// Connections come.
    On(Ticket),
    /// The last event of the accept is still to come.
    Ending,
    /// No more connections are wanted: those that come wait in the listener's backlog.
    Off,
    /// There was no descriptor or memory for a connection: not before this time is over.
    Pause(Ticket),
}

impl Accepting {
    pub(crate) fn new(ring: &mut Ring, listener: OwnedFd) -> Result<Self> {
        let listener = ring.add(listener)?;
        let state = State::On(ring.accept(listener)?);
        Ok(Self { listener, state })
    }

    /// Takes connections if there is room for them, and leaves them waiting if not. To be called whenever that may have
    /// changed. A few may come after the room was gone, since the kernel has accepted them already: keep them.
    pub(crate) fn take_more(&mut self, ring: &mut Ring, has_room: bool) -> Result<()> {
        match self.state {
            State::On(ticket) if !has_room => {
                match ring.cancel(ticket) {
                    // It is over already.
                    Ok(()) | Err(Error::UnknownRequest) => {}
                    Err(error) => return Err(error),
                }
                self.state = State::Ending;
            }
            State::Off if has_room => self.state = State::On(ring.accept(self.listener)?),
            _ => {}
        }
        Ok(())
    }

    /// The accept has ended. An error if there is nothing to go on with.
    pub(crate) fn ended(&mut self, ring: &mut Ring, error: io::Error) -> anyhow::Result<()> {
        if matches!(self.state, State::Ending) {
            self.state = State::Off;
            return Ok(());
        }
        self.state = match AcceptError::of(&error) {
            AcceptError::Listener => return Err(error.into()),
            AcceptError::Exhausted => {
                eprintln!("accept: {error}");
                State::Pause(ring.timeout(PAUSE)?)
            }
            AcceptError::Nobody | AcceptError::OneConnection => State::Off,
        };
        Ok(())
    }

    /// The time of a timeout is over, perhaps of the pause.
    pub(crate) fn timed_out(&mut self, timeout: Ticket) {
        if matches!(self.state, State::Pause(pause) if pause == timeout) {
            self.state = State::Off;
        }
    }

    /// Takes no more, for good.
    pub(crate) fn end(self, ring: &mut Ring) {
        if let State::On(ticket) | State::Pause(ticket) = self.state {
            // That it is over already is no error.
            let _ = ring.cancel(ticket);
        }
    }
}
