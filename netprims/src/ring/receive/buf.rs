use std::fmt;
use std::ops::Deref;

use super::message::Message;
use crate::datagram::Incoming;
use crate::ring::Address;
use crate::sys::uring::Piece;

/// Bytes that were received, kept. Dereferences to them.
///
/// It may go to any thread and outlive the ring and the pool. Dropping it gives the memory back, without a lock; the ring
/// notices at its next poll. The slot it lies in is received into again when every `RxBuf` of it is dropped; passing one
/// to `mem::forget` loses the slot, which [`RxPool::outstanding`](super::RxPool::outstanding) shows.
pub struct RxBuf {
    /// Nothing was received into nothing.
    piece: Option<Piece>,
}

impl RxBuf {
    pub(super) fn new(piece: Option<Piece>) -> Self {
        Self { piece }
    }

    /// Who sent the datagram. `None` if the pool is not [for messages](super::RxPlan::messages), if the sender has no
    /// address, as a Unix socket without a name, or if it is of another family than these.
    #[doc(alias = "msg_name")]
    pub fn source(&self) -> Option<Address> {
        self.message().source()
    }

    /// Whether the datagram was longer than a slot; the rest is lost. Never of a stream.
    #[doc(alias = "MSG_TRUNC")]
    pub fn is_cut(&self) -> bool {
        self.message().is_cut()
    }

    /// How many bytes the datagram had before it was cut. `None` if it was cut and the pool is not [for
    /// messages](super::RxPlan::messages), or the kernel does not tell.
    pub fn whole_len(&self) -> Option<usize> {
        self.message().whole_len()
    }

    /// The datagram with all that the socket was asked to tell of it: [the size of its
    /// segments](crate::tuning::Tuning::udp_gro), [where it went and how](crate::datagram::Details), [when it
    /// came](crate::tuning::Tuning::timestamping). `None` if the pool is not [for messages](super::RxPlan::messages).
    #[doc(alias = "recvmsg")]
    #[doc(alias = "cmsg")]
    pub fn incoming(&self) -> Option<Incoming<'_>> {
        self.message().incoming()
    }

    fn message(&self) -> Message<'_> {
        let head = self.piece.as_ref().map_or(&[][..], Piece::head);
        let is_cut = self.piece.as_ref().is_some_and(Piece::is_cut);
        Message::new(self, head, is_cut)
    }
}

impl Deref for RxBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.piece.as_ref().map_or(&[], Piece::bytes)
    }
}

impl AsRef<[u8]> for RxBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for RxBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RxBuf").field("len", &self.len()).finish()
    }
}
