use std::os::fd::{AsFd, AsRawFd, RawFd};

use socket2::{SockRef, Type};

use super::pipe::{Pipe, not_drained, not_filled};
use super::would_block;
use crate::{Error, Result};

/// One direction between two stream sockets: what comes from one goes to the other, through a pipe.
///
/// What left the source and did not reach the target yet is in the pipe and counted: after a short write, an error, or
/// when the relay is given up, [`take_held`](Self::take_held) has it. A proxy has two of them:
///
/// ```
/// use std::net::{Shutdown, TcpStream};
/// use netprims::transfer::{Relay, RelayTurn};
///
/// /// Runs one direction of a proxy to its end, on blocking sockets.
/// fn forward(from: &TcpStream, to: &TcpStream) -> netprims::Result<u64> {
///     let (mut relay, mut moved) = (Relay::new()?, 0);
///     loop {
///         match relay.turn(from, to)? {
///             RelayTurn::Moved(bytes) => moved += bytes as u64,
///             // Only non-blocking sockets: back to the event loop, until one can be read or the other written.
///             RelayTurn::WaitRead | RelayTurn::WaitWrite => unreachable!("they block"),
///             RelayTurn::Ended => break,
///         }
///     }
///     // The end of the stream is for the caller to pass on.
///     let _ = to.shutdown(Shutdown::Write);
///     Ok(moved)
/// }
/// ```
#[derive(Debug)]
pub struct Relay {
    pipe: Pipe,
    held: usize,
    ended: bool,
    /// Source and target that are known to be streams.
    streams: Option<[RawFd; 2]>,
}

/// What came of a [turn](Relay::turn).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayTurn {
    /// So many bytes reached the target, 1 at least. Take another turn.
    Moved(usize),
    /// The source has nothing, and nothing is held: take another turn when the source is readable.
    WaitRead,
    /// The target has no room, and [`held`](Relay::held) bytes wait for it: take another turn when it is writable.
    WaitWrite,
    /// The source is at its end, and everything reached the target.
    Ended,
}

impl Relay {
    /// With a pipe of the kernel's size.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::new`].
    pub fn new() -> Result<Self> {
        Pipe::new().map(Self::with_pipe)
    }

    /// With a pipe of another size. It must be empty, and used by nobody else: what somebody else leaves in it is never
    /// counted, and what somebody takes out of it is waited for.
    pub fn with_pipe(pipe: Pipe) -> Self {
        Self {
            pipe,
            held: 0,
            ended: false,
            streams: None,
        }
    }

    /// Moves what can be moved now: takes from the source if nothing is held, then gives the target what is held. At most
    /// one system call for each. Blocking sockets are waited for.
    ///
    /// After an error another turn may be taken; with the same sockets it will most likely find the same error. After the
    /// source's end it is not read any more.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: one of the two is a socket of messages (UDP, among others). The kernel would cut its
    ///   messages and join them, and an empty one would be taken for the end. Nothing was moved.
    /// - of the source, those of [`Pipe::fill`], saying «splice into a pipe from»; nothing is held then.
    /// - of the target, those of [`Pipe::drain`], saying «splice out of a pipe to»; what is held stays held.
    ///
    /// Source: splice(2).
    #[doc(alias = "splice")]
    pub fn turn(&mut self, source: &impl AsFd, target: &impl AsFd) -> Result<RelayTurn> {
        let pair = [source.as_fd(), target.as_fd()].map(|fd| fd.as_raw_fd());
        if self.streams != Some(pair) {
            refuse_messages("relay source", source)?;
            refuse_messages("relay target", target)?;
            self.streams = Some(pair);
        }
        // Only into an empty pipe: EAGAIN then means the source, and not the pipe.
        if self.held == 0 {
            if self.ended {
                return Ok(RelayTurn::Ended);
            }
            match self.pipe.splice_in(source, self.pipe.capacity()) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(RelayTurn::Ended);
                }
                Ok(taken) => self.held = taken,
                Err(error) if would_block(&error) => return Ok(RelayTurn::WaitRead),
                Err(error) => return Err(not_filled(source, error)),
            }
        }
        match self.pipe.splice_out(target, self.held) {
            Ok(given) => {
                self.held = self.held.saturating_sub(given);
                Ok(RelayTurn::Moved(given))
            }
            Err(error) if would_block(&error) => Ok(RelayTurn::WaitWrite),
            Err(error) => Err(not_drained(target, error)),
        }
    }

    /// How many bytes left the source and did not reach the target yet.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether the source was found at its end.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes what is held out of the pipe, to send it another way. Nothing is held afterwards.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::read`]: `EAGAIN` if somebody else emptied the pipe. What was read until then is lost.
    pub fn take_held(&mut self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.held];
        let mut at = 0;
        while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
            at += self.pipe.read(rest)?;
        }
        self.held = 0;
        Ok(bytes)
    }

    /// The pipe, with what is [held](Self::held) still in it.
    pub fn into_pipe(self) -> Pipe {
        self.pipe
    }
}

/// What is no socket, the call that moves the bytes will tell.
fn refuse_messages(option: &'static str, fd: &impl AsFd) -> Result<()> {
    match SockRef::from(fd).r#type() {
        Ok(kind) if kind != Type::STREAM => Err(Error::InvalidValue {
            option,
            value: format!("fd {}, a socket of messages", fd.as_fd().as_raw_fd()),
            reason: "only streams are relayed: messages would be cut and joined",
        }),
        _ => Ok(()),
    }
}
