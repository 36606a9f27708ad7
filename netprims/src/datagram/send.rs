use std::borrow::Borrow;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::fault::{Facts, Fault};
use super::outgoing::Outgoing;
use super::pieces::{Cut, pieces};
use super::sent::Sent;
use super::{address, check_capacity};
use crate::sys::datagrams::{NAME, Queue, Sender};
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
    Refused(io::Error, Facts),
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
    /// one is refused. A blocking socket waits for room, and does not return until one of the other two is so.
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
    /// [`Error::NotSent`]: the kernel refused a message. The [`Fault`] says why, and the [`Sent`] which it was and what
    /// went before. Go on with [`resume`](Self::resume): from the same message again, or
    /// [without it](Sent::without_the_next).
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
            ..sent
        };
        loop {
            let rest = messages.clone().skip(sent.messages);
            match self.pass(socket.as_fd(), rest, &mut sent) {
                Ok(()) => return Ok(sent),
                Err(Stop::Blocked) => {
                    sent.blocked = true;
                    return Ok(sent);
                }
                Err(Stop::Refused(error, facts)) => {
                    if error.raw_os_error() == Some(libc::EIO) && matches!(facts.cut, Cut::At(_)) {
                        self.segmentation = Segmentation::Batch;
                        continue;
                    }
                    let fault = Fault::of(error.raw_os_error(), facts);
                    return Err(Error::NotSent { sent, fault, error });
                }
            }
        }
    }

    /// Sends what is left of the first message, and the rest.
    fn pass<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        messages: impl Iterator<Item: Borrow<Outgoing<'a>>>,
        sent: &mut Sent,
    ) -> Result<(), Stop> {
        let mut queue = self.sender.queue();
        self.places.clear();
        let mut gone = sent.part;
        for message in messages {
            let message: Outgoing<'a> = *message.borrow();
            let mut room = [0; NAME];
            let to = message.destination();
            let name = to.map_or(&[][..], |to| address::encode(to, &mut room));
            // More than there is only if the caller's messages are others than they were.
            let rest = message.payload().get(gone..).unwrap_or_default();
            gone = 0;
            for piece in pieces(rest, message.segment_size(), self.segmentation) {
                if queue.is_full() {
                    flush(&mut queue, &mut self.places, socket, sent)?;
                }
                let control = message.control(piece.cut);
                let pushed = queue.push(piece.bytes, name, control.bytes());
                debug_assert!(pushed, "a name and control messages of known size");
                self.places.push(Place {
                    facts: Facts {
                        len: piece.bytes.len(),
                        cut: piece.cut,
                        has_departure: message.has_departure(),
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
    // Whether the last call stopped short, for a reason it did not tell.
    let mut short = false;
    while queue.pending() > 0 {
        let before = places.len() - queue.pending();
        let went = match queue.send(socket) {
            // The kernel has no such answer; a filter before it can.
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            result => result,
        };
        let went = match went {
            Ok(went) => went,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Stop::Blocked),
            Err(error) => {
                let facts = places.get(before).map(|place| place.facts);
                return Err(Stop::Refused(error, facts.unwrap_or_default()));
            }
        };
        sent.calls += 1;
        sent.unreported += usize::from(short);
        for place in places.iter().skip(before).take(went) {
            let facts = place.facts;
            sent.count(facts.cut.datagrams(facts.len), facts.len, place.last);
        }
        short = queue.pending() > 0;
    }
    queue.clear();
    places.clear();
    Ok(())
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
