use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::pipe::{Pipe, not_drained, not_filled};
use super::streams::is_socket;
use super::would_block;
use crate::fd::retry;
use crate::sys::stream;
use crate::{Error, Result};

/// How much is read past an urgent byte: what an empty pipe of one page takes at once.
const PAST_URGENT: usize = 512;

/// One direction between two stream sockets: the bytes that come from one go to the other, through a pipe.
///
/// What left the source and did not reach the target yet is in the pipe and counted: after a short write, an error, or
/// when the relay is given up, [`take_held`](Self::take_held) has it. What is more than bytes is lost: descriptors passed
/// over a Unix socket, and TCP's urgent byte ([the module](super#what-the-kernel-does-not-promise)).
///
/// A proxy has two of them:
///
/// ```
/// use std::error::Error;
/// use std::net::{Shutdown, TcpStream};
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use netprims::transfer::{Relay, RelayTurn};
/// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
///
/// /// Runs one direction of a proxy to its end, on blocking or non-blocking sockets.
/// fn forward(from: &UnixStream, to: &TcpStream) -> Result<u64, Box<dyn Error>> {
///     let (mut relay, mut moved) = (Relay::new()?, 0);
///     loop {
///         // In a service, the last two go back to the event loop.
///         let wait = match relay.turn(from, to)? {
///             RelayTurn::Moved(bytes) => {
///                 moved += bytes as u64;
///                 continue;
///             }
///             RelayTurn::Ended => break,
///             RelayTurn::WaitRead => PollFd::new(from.as_fd(), PollFlags::POLLIN),
///             RelayTurn::WaitWrite => PollFd::new(to.as_fd(), PollFlags::POLLOUT),
///         };
///         poll(&mut [wait], PollTimeout::NONE)?;
///     }
///     // The end of the stream is for the caller to pass on.
///     let _ = to.shutdown(Shutdown::Write);
///     Ok(moved)
/// }
/// # use std::io::{Read, Write};
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let to = TcpStream::connect(listener.local_addr()?)?;
/// # let (mut server, _) = listener.accept()?;
/// # let (mut client, from) = UnixStream::pair()?;
/// # let forwarding = std::thread::spawn(move || forward(&from, &to).expect("forwarded"));
/// # client.write_all(b"question")?;
/// # drop(client);
/// # let mut came = String::new();
/// # server.read_to_string(&mut came)?;
/// # assert_eq!((came.as_str(), forwarding.join().expect("no panic")), ("question", 8));
/// # Ok::<(), Box<dyn Error>>(())
/// ```
#[derive(Debug)]
pub struct Relay {
    pipe: Pipe,
    held: usize,
    ended: bool,
}

/// What came of a [turn](Relay::turn).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayTurn {
    /// So many bytes reached the target, 1 at least. Take another turn.
    Moved(usize),
    /// The source has nothing, and nothing is held: take another turn when the source is readable. Also of a blocking
    /// source: of one that the kernel does not wait for, such as a Unix socket, and after its `SO_RCVTIMEO`.
    WaitRead,
    /// The target has no room, and [`held`](Relay::held) bytes wait for it: take another turn when it is writable. Also
    /// of a blocking target: of a pipe, and after a socket's `SO_SNDTIMEO`.
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
        Pipe::new().and_then(Self::with_pipe)
    }

    /// With a pipe of another size. What is in it counts as [held](Self::held), and goes to the target first: a relay goes
    /// on with the [pipe](Self::into_pipe) of another.
    ///
    /// The pipe must be used by nobody else from now on: what somebody puts into it is never counted, and what somebody
    /// takes out of it is waited for.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: the kernel does not tell what is in the pipe.
    #[doc(alias = "FIONREAD")]
    pub fn with_pipe(pipe: Pipe) -> Result<Self> {
        Ok(Self {
            held: pipe.len()?,
            pipe,
            ended: false,
        })
    }

    /// Moves what can be moved now: takes from the source if nothing is held, then gives the target what is held. At most
    /// one `splice` for each. It may wait for blocking sockets, but not for all: [the module](super) says for which.
    ///
    /// After an error another turn may be taken; with the same sockets it will most likely find the same error. After the
    /// source's end it is not read any more.
    ///
    /// Where `splice` finds nothing in a source that is a socket, it is asked again by `recv`: `splice` does not go past
    /// TCP's urgent byte. The urgent byte itself is left out of the stream, unless the source has `SO_OOBINLINE`, and
    /// cannot be had by `MSG_OOB` afterwards.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: one of the two is a socket of messages (UDP, among others). The kernel would cut its
    ///   messages and join them, and an empty one would be taken for the end. Nothing was moved to it or from it.
    /// - of the source, those of [`Pipe::fill`], saying «splice into a pipe from» or «recv from»; nothing is held then.
    /// - of the target, those of [`Pipe::drain`], saying «splice out of a pipe to»; what is held stays held.
    /// - of the pipe, `ENOMEM`, saying «write into a pipe»: up to 512 bytes that came behind an urgent byte are lost.
    ///
    /// Source: splice(2), recv(2), tcp(7).
    #[doc(alias = "splice")]
    pub fn turn(&mut self, source: &impl AsFd, target: &impl AsFd) -> Result<RelayTurn> {
        let (source, target) = (source.as_fd(), target.as_fd());
        if self.held == 0 && self.ended {
            return Ok(RelayTurn::Ended);
        }
        is_socket("relay target", target)?;
        // Only into an empty pipe: EAGAIN then means the source, and not the pipe.
        if self.held == 0 {
            match self.take(source)? {
                None => return Ok(RelayTurn::WaitRead),
                Some(0) => {
                    self.ended = true;
                    return Ok(RelayTurn::Ended);
                }
                Some(taken) => self.held = taken,
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

    /// From the source into the empty pipe: how much; 0 at the end, `None` if there is nothing now.
    fn take(&self, source: BorrowedFd<'_>) -> Result<Option<usize>> {
        let is_socket = is_socket("relay source", source)?;
        let stopped = match self.pipe.splice_in(source, self.pipe.capacity()) {
            Ok(0) => Some(0),
            Ok(taken) => return Ok(Some(taken)),
            Err(error) if would_block(&error) => None,
            Err(error) => return Err(not_filled(source, error)),
        };
        if !is_socket {
            return Ok(stopped);
        }
        // TCP stops at an urgent byte too: as if there were nothing, or, of a blocking socket or after the peer's last byte,
        // as if at the end. Reading goes past it.
        let mut bytes = [0; PAST_URGENT];
        match retry(|| stream::receive_now(source, &mut bytes)) {
            Ok(0) => Ok(Some(0)),
            Ok(came) => self
                .pipe
                .put(bytes.get(..came).unwrap_or_default())
                .map(Some),
            Err(error) if would_block(&error) => Ok(None),
            Err(error) => {
                let object = format!("fd {}", source.as_raw_fd());
                Err(Error::system("recv from", object, error))
            }
        }
    }
}
