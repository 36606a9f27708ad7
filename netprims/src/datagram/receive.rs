use std::fmt;
use std::io::ErrorKind;
use std::iter::FusedIterator;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{Domain, SockRef, Type};

use super::check_capacity;
use super::incoming::Incoming;
use crate::sys::datagrams::Receiver;
use crate::{Error, Result};

/// Receives datagrams, many a system call, into buffers of its own.
///
/// It is made once, for any socket, and allocates nothing when it receives.
pub struct ReceiveBatch {
    receiver: Receiver,
}

impl ReceiveBatch {
    /// Bytes that no piece exceeds: what to take with [`udp_gro`](crate::tuning::Tuning::udp_gro).
    pub const LARGEST: usize = 65_535;

    /// Room for that many pieces a system call, 1 to [`MAX_MESSAGES`](super::MAX_MESSAGES), of that many bytes each, 1 to
    /// [`LARGEST`](Self::LARGEST). A piece is a datagram, or with [`udp_gro`](crate::tuning::Tuning::udp_gro) up to
    /// 64 KiB of them. What is longer is cut: see [`Incoming::is_truncated`].
    ///
    /// Besides these bytes a piece takes about 650 of memory.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] for other numbers.
    pub fn new(pieces: usize, size: usize) -> Result<Self> {
        check_capacity("ReceiveBatch", pieces)?;
        if !(1..=Self::LARGEST).contains(&size) {
            return Err(Error::InvalidValue {
                option: "ReceiveBatch",
                value: format!("{size} bytes a piece"),
                reason: "a piece has 1 to 65535 bytes",
            });
        }
        Ok(Self {
            receiver: Receiver::new(pieces, size),
        })
    }

    /// How many pieces come with a system call.
    pub fn capacity(&self) -> usize {
        self.receiver.capacity()
    }

    /// How many bytes there are for each piece.
    pub fn size(&self) -> usize {
        self.receiver.size()
    }

    /// Takes what is there, as far as there is room. A blocking socket waits for the first piece and for no other
    /// (`MSG_WAITFORONE`); it waits as long as `SO_RCVTIMEO` says. If nothing is there, that is no error: the result is
    /// empty. `recvmmsg`'s own timeout is not used: it does not end a wait, being looked at only when a message comes.
    ///
    /// A signal ends the wait, too ([`Received::is_interrupted`]), unless its handler has calls restarted (`SA_RESTART`)
    /// and there is no `SO_RCVTIMEO`; and so does `shutdown` ([`Received::is_end`]). Both results are empty.
    ///
    /// What an earlier call brought is overwritten.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ECONNREFUSED` on a connected socket if an earlier datagram was refused by the peer, once;
    /// `ENOTSOCK`. Nothing was received. An error that comes after the first piece shows in the next call.
    ///
    /// Kernel: Linux 2.6.33. Source: recvmmsg(2), udp(7), `do_recvmmsg` in `net/socket.c`.
    #[doc(alias = "recvmmsg")]
    #[doc(alias = "MSG_WAITFORONE")]
    pub fn receive(&mut self, socket: &impl AsFd) -> Result<Received<'_>> {
        self.take(socket, true)
    }

    /// As [`receive`](Self::receive), and does not wait even if the socket is blocking.
    ///
    /// # Errors
    ///
    /// Those of [`receive`](Self::receive).
    #[doc(alias = "MSG_DONTWAIT")]
    pub fn try_receive(&mut self, socket: &impl AsFd) -> Result<Received<'_>> {
        self.take(socket, false)
    }

    fn take(&mut self, socket: &impl AsFd, wait: bool) -> Result<Received<'_>> {
        let socket = socket.as_fd();
        let mut is_interrupted = false;
        if let Err(error) = self.receiver.receive(socket, wait) {
            match error.kind() {
                ErrorKind::WouldBlock => {}
                ErrorKind::Interrupted => is_interrupted = true,
                _ => return Err(refused(socket, error)),
            }
        }
        let (first, end) = self.pieces();
        // What is left out is an end only if it cannot be an empty message of a peer without a name.
        let is_cut = end - first < self.receiver.arrived();
        let is_end = is_cut && !is_unix_datagram(socket);
        let (first, end) = if is_end {
            (first, end)
        } else {
            (0, self.receiver.arrived())
        };
        Ok(Received {
            receiver: &self.receiver,
            first,
            end,
            is_interrupted,
            is_end,
        })
    }

    /// What has arrived without what has neither bytes nor a sender, before and behind it: an internet datagram has a
    /// sender, even if it is empty.
    fn pieces(&self) -> (usize, usize) {
        let is_nothing = |nth: usize| {
            let arrival = self.receiver.arrival(nth);
            arrival.is_none_or(|arrival| arrival.bytes.is_empty() && arrival.name.is_empty())
        };
        let (mut first, mut end) = (0, self.receiver.arrived());
        while first < end && is_nothing(first) {
            first += 1;
        }
        while first < end && is_nothing(end - 1) {
            end -= 1;
        }
        (first, end)
    }
}

impl fmt::Debug for ReceiveBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveBatch")
            .field("capacity", &self.capacity())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

fn refused(socket: BorrowedFd<'_>, error: std::io::Error) -> Error {
    let name = format!("fd {}", socket.as_raw_fd());
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => {
            let advice = "the peer refused an earlier datagram; the socket is as it was";
            Error::advised("recvmmsg on", name, error, advice)
        }
        _ => Error::system("recvmmsg on", name, error),
    }
}

fn is_unix_datagram(socket: BorrowedFd<'_>) -> bool {
    let socket = SockRef::from(&socket);
    matches!(
        (socket.domain(), socket.r#type()),
        (Ok(Domain::UNIX), Ok(Type::DGRAM))
    )
}

/// What one call brought, in the order it arrived.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    receiver: &'a Receiver,
    first: usize,
    end: usize,
    is_interrupted: bool,
    is_end: bool,
}

impl<'a> Received<'a> {
    /// How many pieces came.
    pub fn len(&self) -> usize {
        self.end - self.first
    }

    /// Whether nothing was there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a signal ended the wait for the first piece (`EINTR`). There is none then.
    #[doc(alias = "EINTR")]
    pub fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// Whether nobody waits for more, behind the pieces: the socket was shut down for receiving (`SHUT_RD`), or it is a
    /// stream whose peer has closed it. Every further call on a blocking socket returns at once and says so. UDP still
    /// queues what comes, and a call brings it. A non-blocking UDP socket does not tell.
    #[doc(alias = "SHUT_RD")]
    #[doc(alias = "shutdown")]
    pub fn is_end(&self) -> bool {
        self.is_end
    }

    /// The pieces.
    pub fn iter(&self) -> Pieces<'a> {
        Pieces {
            receiver: self.receiver,
            left: self.first..self.end,
        }
    }
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Received<'a> {
    type Item = Incoming<'a>;
    type IntoIter = Pieces<'a>;

    fn into_iter(self) -> Pieces<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Received<'a> {
    type Item = Incoming<'a>;
    type IntoIter = Pieces<'a>;

    fn into_iter(self) -> Pieces<'a> {
        self.iter()
    }
}

/// The pieces one call brought. Made by [`Received::iter`].
#[derive(Clone)]
pub struct Pieces<'a> {
    receiver: &'a Receiver,
    left: Range<usize>,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Incoming<'a>;

    fn next(&mut self) -> Option<Incoming<'a>> {
        let nth = self.left.next()?;
        self.receiver.arrival(nth).map(Incoming::of)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl ExactSizeIterator for Pieces<'_> {}
impl FusedIterator for Pieces<'_> {}

impl fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
