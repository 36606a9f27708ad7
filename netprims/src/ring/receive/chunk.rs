use std::fmt;
use std::ops::Deref;

use super::RxBuf;
use super::message::Message;
use crate::datagram::Incoming;
use crate::ring::Address;
use crate::sys::uring::Loan;

/// Bytes that were received, lent to the handler. Dereferences to them.
///
/// When the handler has returned the ring receives into this memory again, also if the chunk was passed to `mem::forget`
/// or the handler panicked. To keep the bytes without copying them, [`detach`](Chunk::detach) the chunk.
pub struct Chunk<'a> {
    loan: Loan<'a>,
}

impl<'a> Chunk<'a> {
    #[inline]
    pub(in crate::ring) fn new(loan: Loan<'a>) -> Self {
        Self { loan }
    }

    /// Keeps the bytes. Nothing is copied: the memory is the pool's, and is missing there until the [`RxBuf`] is
    /// dropped.
    pub fn detach(self) -> RxBuf {
        RxBuf::new(self.loan.detach())
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
        let loan = &self.loan;
        Message::new(loan.bytes(), loan.head(), loan.is_cut())
    }
}

impl Deref for Chunk<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.loan.bytes()
    }
}

impl AsRef<[u8]> for Chunk<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Chunk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("len", &self.len()).finish()
    }
}
