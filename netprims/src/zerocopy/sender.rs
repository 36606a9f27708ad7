use std::fmt;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::{Event, NotSent, Sent, State, Ticket, Totals};
use crate::buffer::TxBuf;
use crate::sys::zerocopy::{Engine, Live, Outcome, Ready, Refusal, Taken};
use crate::{Error, Result};

/// A socket that sends without copying, and gives each buffer back when the kernel is done with it.
///
/// Made by [`ZeroCopyOptions::attach`](super::ZeroCopyOptions::attach). [The module](super) says how to use it.
///
/// # Drop
///
/// Dropping it takes what has come back, without waiting, gives what has not to the kernel (see
/// [the module](super#closing)), and drops the socket. Closing waits if the socket was told to (`SO_LINGER`).
/// `mem::forget` of it leaks the descriptor, and the buffers in flight for good.
pub struct ZeroCopySender<S: AsFd> {
    engine: Engine<Live<S>>,
}

/// What [`ZeroCopySender::close`] leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Buffers the kernel had not given back. They are in their pool again, with fresh pages; the kernel has the old
    /// ones.
    pub renewed: usize,
    /// Buffers the kernel had not given back and that could not have fresh pages. They are leaked, and their pools
    /// counted by [`leaked_bytes`](crate::buffer::leaked_bytes).
    pub leaked: usize,
    /// What became of the bytes.
    pub totals: Totals,
}

/// How long to sleep where waiting for the error queue returns at once.
const NAP: Duration = Duration::from_millis(1);

impl<S: AsFd> ZeroCopySender<S> {
    pub(super) fn new(engine: Engine<Live<S>>) -> Self {
        Self { engine }
    }

    /// The socket, to read from it and to shut it down.
    pub fn socket(&self) -> &S {
        self.engine.kernel().socket()
    }

    /// Sends a buffer's bytes over a connected socket, from its pages if they reach the
    /// [`threshold`](super::ZeroCopyOptions::threshold). Blocks as the socket does. Allocates nothing and takes no lock,
    /// unless it fails.
    ///
    /// A closed peer is the error `EPIPE`, never a signal; a signal does not end it.
    ///
    /// # Errors
    ///
    /// [`NotSent`] with the buffer, if no byte of it was taken, with
    ///
    /// - [`Error::System`]: `EAGAIN` if a non-blocking socket has no room, or a part of the buffer before is left: wait
    ///   until it is writable, and [flush](Self::flush); `EPIPE` and `ECONNRESET` when the peer has gone, `EMSGSIZE` for a datagram
    ///   that is too long, `EDESTADDRREQ` or `ENOTCONN` on a socket without peer, `EPERM` from a firewall, `EBADF` in a
    ///   forked child, and so on. A datagram's may say that its sending is in doubt: then `buf` is a ticket.
    /// - [`Error::ZeroCopyFull`]: there is no room for another zero-copy send and the options say to
    ///   [refuse](super::WhenFull::Refuse), or the buffers in flight are too many for any send. Reap, and try again.
    ///
    /// A datagram that the kernel refused, also if it was then copied, may have taken messages from the error queue, of
    /// which epoll does not tell again: [`reap`](Self::reap) if there is [news](Self::has_news).
    ///
    /// Source: sendmsg(2), `Documentation/networking/msg_zerocopy.rst`.
    #[doc(alias = "MSG_ZEROCOPY")]
    pub fn send(&mut self, buf: TxBuf) -> Result<Sent, NotSent> {
        self.submit(buf, None)
    }

    /// Sends a buffer's bytes as one datagram to an address. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and [`Error::InvalidValue`] on a TCP socket, which sends to its peer only.
    #[doc(alias = "sendto")]
    pub fn send_to(&mut self, buf: TxBuf, to: SocketAddr) -> Result<Sent, NotSent> {
        if self.engine.is_stream() {
            let error = Error::InvalidValue {
                option: "send_to",
                value: to.to_string(),
                reason: "a TCP socket sends to its peer only",
            };
            let buf = Ok(buf);
            return Err(NotSent { buf, error });
        }
        self.submit(buf, Some(to))
    }

    /// Goes on with the buffer of which a stream did not take all. Returns how many bytes still are to be taken: wait
    /// until the socket is writable, and flush again. 0 if there is no such buffer.
    ///
    /// If the last of it was taken and the kernel reads no part of it any more, the handler is told so: there will be
    /// nothing to reap.
    ///
    /// # Errors
    ///
    /// [`Error::System`] and [`Error::ZeroCopyFull`] as of [`send`](Self::send), except `EAGAIN`. The rest stays; a
    /// connection that is broken stays so, and the buffer comes back when the sender is closed.
    pub fn flush(&mut self, handler: impl FnOnce(Event)) -> Result<usize> {
        let outcome = self.engine.go_on().map_err(|refusal| self.error(refusal))?;
        if let Some(outcome) = outcome {
            handler(event(outcome));
        }
        Ok(self.unsent())
    }

    /// Bytes of the last buffer that a stream did not take yet.
    pub fn unsent(&self) -> usize {
        self.engine.rest()
    }

    /// Whether there is something to [`reap`](Self::reap) of which epoll and poll do not tell: a failed send took it from
    /// the error queue.
    pub fn has_news(&self) -> bool {
        self.engine.has_news()
    }

    /// Empties the error queue, and tells the handler what was in it; if there was nothing, the error that is pending on
    /// a UDP socket. Does not block. Returns how many events there were.
    ///
    /// If the handler panics, the event it was given is dropped (its buffer returns to the pool) and all others are told
    /// by the next call. Allocates nothing and takes no lock, except for messages that came while a failed send looked
    /// for its notification.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the kernel refuses the call. Nothing is lost.
    ///
    /// Source: recvmsg(2), `MSG_ERRQUEUE`.
    #[doc(alias = "MSG_ERRQUEUE")]
    pub fn reap(&mut self, mut handler: impl FnMut(Event)) -> Result<usize> {
        let mut events = 0;
        loop {
            let outcome = self.engine.next();
            let outcome = outcome.map_err(|error| self.failed("recvmsg MSG_ERRQUEUE of", error))?;
            let Some(outcome) = outcome else {
                break;
            };
            events += 1;
            handler(event(outcome));
        }
        if events == 0 {
            let pending = self.engine.kernel().pending_error();
            let pending = pending.map_err(|error| self.failed("getsockopt SO_ERROR of", error))?;
            if let Some(error) = pending {
                events += 1;
                handler(Event::Error(error));
            }
        }
        Ok(events)
    }

    /// Waits until there may be something to [`reap`](Self::reap), or the connection is over and nothing is in flight. False
    /// if the time is over; `None` waits without end. A signal does not end the wait.
    ///
    /// A connection that both ends have shut down, or that is broken, is always ready; while something of it is in flight
    /// this looks for that every millisecond.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOMEM`.
    ///
    /// Source: poll(2).
    pub fn wait(&mut self, limit: Option<Duration>) -> Result<bool> {
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            if self.engine.has_news() {
                return Ok(true);
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let is_over = left.is_some_and(|left| left.is_zero());
            match self.engine.kernel().wait(left) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("poll of", error)),
                Ok(Ready::Error) => return Ok(true),
                Ok(Ready::No) if is_over => return Ok(false),
                Ok(Ready::No) => {}
                Ok(Ready::Over) => {
                    let found = self.engine.look();
                    let found = found.map_err(|e| self.failed("recvmsg MSG_ERRQUEUE of", e))?;
                    if found || self.engine.awaited() == 0 {
                        return Ok(true);
                    }
                    if is_over {
                        return Ok(false);
                    }
                    std::thread::sleep(left.map_or(NAP, |left| left.min(NAP)));
                }
            }
        }
    }

    /// Waits for what is in flight, but not for what is [in doubt](State::InDoubt), for at most the limit, tells the handler all that comes back, and drops the socket.
    /// Sends nothing more: what a stream has not taken is not sent, and its buffer is told with the bytes that were.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the kernel refuses to wait or to read the error queue. The sender is dropped then.
    pub fn close(mut self, limit: Duration, mut handler: impl FnMut(Event)) -> Result<Closed> {
        let end = Instant::now().checked_add(limit);
        loop {
            self.reap(&mut handler)?;
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let is_over = left.is_some_and(|left| left.is_zero());
            let is_hopeless = self.state() == State::Disturbed;
            if self.engine.awaited() == 0 || is_over || is_hopeless {
                break;
            }
            self.wait(left)?;
        }
        if let Some(outcome) = self.engine.give_up() {
            handler(event(outcome));
        }
        let totals = self.totals();
        let abandoned = self.engine.abandon();
        Ok(Closed {
            renewed: abandoned.renewed,
            leaked: abandoned.leaked,
            totals,
        })
    }

    /// How many buffers are in flight: sent, and not told to be released.
    pub fn in_flight(&self) -> usize {
        self.engine.in_flight()
    }

    /// Whether it sends without copying.
    pub fn state(&self) -> State {
        self.engine.state()
    }

    /// What became of the bytes so far.
    pub fn totals(&self) -> Totals {
        self.engine.totals()
    }

    fn submit(&mut self, buf: TxBuf, to: Option<SocketAddr>) -> Result<Sent, NotSent> {
        match self.engine.send(buf.into_slot(), to) {
            Ok(Taken::Copied(slot)) => Ok(Sent::Copied(TxBuf::new(slot))),
            Ok(Taken::Held { ticket, rest }) => Ok(Sent::InFlight {
                ticket: Ticket(ticket),
                unsent: rest,
            }),
            Ok(Taken::Doubtful { ticket, error }) => Err(NotSent {
                buf: Err(Ticket(ticket)),
                error: self.failed("sendmsg on", error),
            }),
            Err((slot, refusal)) => Err(NotSent {
                buf: Ok(TxBuf::new(slot)),
                error: self.error(refusal),
            }),
        }
    }

    fn error(&self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Full(limit) => Error::ZeroCopyFull(limit),
            Refusal::System(error) => self.failed("sendmsg on", error),
        }
    }

    fn failed(&self, operation: &'static str, error: std::io::Error) -> Error {
        let number = self.as_fd().as_raw_fd();
        Error::system(operation, format_args!("socket fd {number}"), error)
    }
}

impl<S: AsFd> AsFd for ZeroCopySender<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl<S: AsFd> AsRawFd for ZeroCopySender<S> {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<S: AsFd> fmt::Debug for ZeroCopySender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZeroCopySender")
            .field("fd", &self.as_fd().as_raw_fd())
            .field("in_flight", &self.in_flight())
            .field("state", &self.state())
            .field("totals", &self.totals())
            .finish_non_exhaustive()
    }
}

fn event(outcome: Outcome) -> Event {
    match outcome {
        Outcome::Released {
            ticket,
            slot,
            bytes,
            usage,
        } => Event::Released {
            ticket: Ticket(ticket),
            buf: TxBuf::new(slot),
            bytes,
            usage,
        },
        Outcome::Other(message) => Event::Message(message),
    }
}
