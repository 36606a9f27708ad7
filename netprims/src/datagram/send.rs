use std::borrow::Borrow;
use std::cell::OnceCell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{SockRef, Type};

use super::circumstances::{Circumstances, peer};
use super::family::Family;
use super::fault::{Facts, Fault};
use super::outgoing::Outgoing;
use super::pieces::{Cut, pieces};
use super::sent::Sent;
use super::{address, check_capacity};
use crate::sys::datagrams::{NAME, Queue, Sender, Went};
use crate::{Error, Result};

/// Sends datagrams, many a system call.
///
/// It is made once, for any socket, and allocates nothing when it sends.
pub struct SendBatch {
    sender: Sender,
    /// Of each piece in the sender's queue.
    places: Vec<Place>,
    segmentation: Segmentation,
}

/// Who cuts a message with a [`segment`](Outgoing::segment) size into datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segmentation {
    /// The kernel or the NIC.
    #[doc(alias = "GSO")]
    #[default]
    Kernel,
    /// The batch: every datagram is a message of `sendmmsg`.
    Batch,
}

/// A piece in the queue.
#[derive(Clone, Copy, Debug)]
struct Place {
    facts: Facts,
    last: bool,
}

/// Why the queue was not emptied.
enum Stop {
    Blocked,
    Interrupted,
    /// By the kernel.
    Refused(io::Error, Facts),
    /// For a reason that is known.
    Known(io::Error, Fault),
}

impl Stop {
    /// By the batch, in the kernel's words.
    fn found(errno: i32, fault: Fault) -> Self {
        Self::Known(io::Error::from_raw_os_error(errno), fault)
    }
}

impl SendBatch {
    /// Room for that many pieces a system call, 1 to [`MAX_MESSAGES`](super::MAX_MESSAGES). A piece is a message, or as
    /// much of it as the kernel cuts at a time: see [`MAX_SEGMENTS`](super::MAX_SEGMENTS). One takes about 350 bytes of
    /// memory.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidValue`] for another number.
    pub fn new(pieces: usize) -> Result<Self> {
        check_capacity("SendBatch", pieces)?;
        Ok(Self {
            sender: Sender::new(pieces),
            places: Vec::with_capacity(pieces),
            segmentation: Segmentation::default(),
        })
    }

    /// How many pieces go with a system call.
    pub fn capacity(&self) -> usize {
        self.sender.capacity()
    }

    /// Who cuts messages into datagrams. It begins with the kernel, and is the batch from the moment a path turned out
    /// not to have the offload (`EIO`). The datagrams are the same either way.
    pub fn segmentation(&self) -> Segmentation {
        self.segmentation
    }

    /// Says who cuts from now on; the kernel again, after another route was taken, for one.
    pub fn set_segmentation(&mut self, segmentation: Segmentation) {
        self.segmentation = segmentation;
    }

    /// Sends the messages in order, in as many system calls as it takes, until all went, the socket's buffer is full, or
    /// one is refused. A blocking socket waits for room, until `SO_SNDTIMEO` is over or a signal comes: see
    /// [`Sent::is_blocked`] and [`Sent::is_interrupted`].
    ///
    /// Messages come from anything that can be walked twice: a slice, or an iterator over what the caller has.
    ///
    /// ```
    /// # use std::net::UdpSocket;
    /// # use netprims::datagram::{Outgoing, SendBatch};
    /// # let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// # let peer = socket.local_addr()?;
    /// let queue = ["one", "two"];
    /// let mut batch = SendBatch::new(64)?;
    /// let sent = batch.send(&socket, queue.iter().map(|text| Outgoing::new(text.as_bytes()).to(peer)))?;
    /// assert_eq!(sent.messages(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotSent`]: the kernel refused a message, or the batch did in its place. The [`Fault`] says why, and the
    /// [`Sent`] which it was and what went before. Go on with [`resume`](Self::resume): from the same message again, or
    /// [without it](Sent::without_the_next).
    ///
    /// A router's answer that an *earlier* datagram was too long (ICMP) makes the kernel refuse the next message on a
    /// connected socket, whatever its length. The batch tries such a message once more.
    ///
    /// Kernel: Linux 3.0. Source: sendmmsg(2), udp(7), ip(7), ipv6(7), `__sys_sendmmsg` in `net/socket.c`.
    #[doc(alias = "sendmmsg")]
    pub fn send<'a, M>(&mut self, socket: &impl AsFd, messages: M) -> Result<Sent>
    where
        M: IntoIterator<Item: Borrow<Outgoing<'a>>, IntoIter: Clone>,
    {
        self.resume(socket, messages, Sent::default())
    }

    /// Goes on with the same messages where an earlier call ended. The counts go on, too.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub fn resume<'a, M>(&mut self, socket: &impl AsFd, messages: M, sent: Sent) -> Result<Sent>
    where
        M: IntoIterator<Item: Borrow<Outgoing<'a>>, IntoIter: Clone>,
    {
        let messages = messages.into_iter();
        let mut sent = Sent {
            blocked: false,
            interrupted: false,
            ..sent
        };
        let socket = socket.as_fd();
        let family = OnceCell::new();
        loop {
            let rest = messages.clone().skip(sent.messages);
            match self.pass(socket, &family, rest, &mut sent) {
                Ok(()) => return Ok(sent),
                Err(Stop::Blocked) => {
                    sent.blocked = true;
                    return Ok(sent);
                }
                Err(Stop::Interrupted) => {
                    sent.interrupted = true;
                    return Ok(sent);
                }
                Err(Stop::Known(error, fault)) => {
                    return Err(Error::NotSent { sent, fault, error });
                }
                Err(Stop::Refused(error, facts)) => {
                    if error.raw_os_error() == Some(libc::EIO) && matches!(facts.cut, Cut::At(_)) {
                        self.segmentation = Segmentation::Batch;
                        continue;
                    }
                    let circumstances = Circumstances::of(socket);
                    let fault = Fault::of(error.raw_os_error(), facts, circumstances);
                    return Err(Error::NotSent { sent, fault, error });
                }
            }
        }
    }

    /// Sends what is left of the first message, and the rest. The family is the connected peer's, once it is known.
    fn pass<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        peers_family: &OnceCell<Option<Family>>,
        messages: impl Iterator<Item: Borrow<Outgoing<'a>>>,
        sent: &mut Sent,
    ) -> Result<(), Stop> {
        if matches!(SockRef::from(&socket).r#type(), Ok(Type::STREAM)) {
            return Err(Stop::found(libc::EPROTOTYPE, Fault::Stream));
        }
        let mut queue = self.sender.queue();
        self.places.clear();
        let mut gone = sent.part;
        for message in messages {
            let message: Outgoing<'a> = *message.borrow();
            let mut room = [0; NAME];
            let to = message.destination();
            let name = to.map_or(&[][..], |to| address::encode(to, &mut room));
            let family = match message.family() {
                None if message.has_source() => *peers_family.get_or_init(|| peer(socket)),
                family => family,
            };
            if let (Some(from), Some(family)) = (message.source_family(), family) {
                if from != family {
                    flush(&mut queue, &mut self.places, socket, sent)?;
                    return Err(Stop::found(libc::EAFNOSUPPORT, Fault::Family));
                }
            }
            // More than there is only if the caller's messages are others than they were.
            let rest = message.payload().get(gone..).unwrap_or_default();
            gone = 0;
            for piece in pieces(rest, message.segment_size(), self.segmentation) {
                if queue.is_full() {
                    flush(&mut queue, &mut self.places, socket, sent)?;
                }
                let control = message.control(piece.cut, family);
                let pushed = queue.push(piece.bytes, name, control.bytes());
                debug_assert!(pushed, "a name and control messages of known size");
                self.places.push(Place {
                    facts: Facts {
                        len: piece.bytes.len(),
                        cut: piece.cut,
                        has_departure: message.has_departure(),
                        has_source: message.has_source(),
                        family: message.family(),
                        to_port_zero: to.is_some_and(|to| to.port() == 0),
                    },
                    last: piece.last,
                });
            }
        }
        flush(&mut queue, &mut self.places, socket, sent)
    }
}

/// Sends all of the queue.
fn flush(
    queue: &mut Queue<'_, '_>,
    places: &mut Vec<Place>,
    socket: BorrowedFd<'_>,
    sent: &mut Sent,
) -> Result<(), Stop> {
    // Whether the last call stopped short, for a reason it did not tell. If that was the end of a wait, by a signal or
    // by `SO_SNDTIMEO`, to wait again would be to ignore it.
    let mut short = false;
    // Whether the first of what is pending was called too long before.
    let mut too_long = false;
    while queue.pending() > 0 {
        let before = places.len() - queue.pending();
        let went = match queue.send(socket, !short) {
            // The kernel has no such answer; a filter before it can.
            Ok(Went { messages: 0, .. }) => Err(io::ErrorKind::WriteZero.into()),
            result => result,
        };
        let went = match went {
            Ok(went) => went,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Err(Stop::Interrupted);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(if lacks_port(socket) {
                    Stop::Known(error, Fault::NoPort)
                } else {
                    Stop::Blocked
                });
            }
            // It may be an answer to an earlier datagram, which is told once.
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) && !too_long => {
                too_long = true;
                continue;
            }
            Err(error) => {
                let facts = places.get(before).map(|place| place.facts);
                return Err(Stop::Refused(error, facts.unwrap_or_default()));
            }
        };
        too_long = false;
        sent.calls += 1;
        let whole = went.messages - usize::from(went.cut.is_some());
        for place in places.iter().skip(before).take(whole) {
            let facts = place.facts;
            sent.count(facts.cut.datagrams(facts.len), facts.len, place.last);
        }
        if let Some(part) = went.cut {
            sent.count(0, part, false);
            return Err(Stop::found(libc::EPROTOTYPE, Fault::Stream));
        }
        short = queue.pending() > 0;
    }
    queue.clear();
    places.clear();
    Ok(())
}

/// Whether an internet socket is bound to no port: the kernel looks for one before the first message goes.
fn lacks_port(socket: BorrowedFd<'_>) -> bool {
    let address = SockRef::from(&socket).local_addr().ok();
    let address = address.and_then(|address| address.as_socket());
    address.is_some_and(|address| address.port() == 0)
}

impl fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBatch")
            .field("capacity", &self.capacity())
            .field("segmentation", &self.segmentation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
