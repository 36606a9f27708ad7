//! Work requests that not every device has.

use super::{Qp, Queue, Rc, Rejected, Rts, Wr};
use crate::mr::{RemoteKey, RemoteSlice, RemoteWord};
use crate::sys::{ExtendedWork, Refused, placement};

/// A request that only some devices have, and only of queue pairs that were made for it;
/// [`Qp::post_extended`] posts it.
#[doc(alias = "ibv_qp_ex")]
#[derive(Debug)]
#[must_use = "it does nothing until it is posted"]
pub struct ExtendedWr {
    work: ExtendedWork,
}

/// How far a flush takes what was written.
#[doc(alias = "ibv_placement_type")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flush {
    /// To where everything on the peer's machine sees it.
    /// The memory must allow [`RemoteAccess::FLUSH_GLOBAL`](crate::RemoteAccess::FLUSH_GLOBAL).
    #[doc(alias = "IBV_FLUSH_GLOBAL")]
    Global,
    /// To memory that outlives the power.
    /// The memory must allow
    /// [`RemoteAccess::FLUSH_PERSISTENT`](crate::RemoteAccess::FLUSH_PERSISTENT).
    #[doc(alias = "IBV_FLUSH_PERSISTENT")]
    Persistent,
}

impl Flush {
    const fn bits(self) -> u8 {
        match self {
            Flush::Global => placement::GLOBAL,
            Flush::Persistent => placement::PERSISTENT,
        }
    }
}

impl Wr<'_, Rc> {
    /// Writes eight bytes to the peer's memory at once: whoever looks sees all of them or none.
    /// The queue pair must be made with [`QpCap::atomic_writes`](super::QpCap::atomic_writes).
    ///
    /// The bytes are copied while the request is posted. The peer must allow
    /// [`RemoteAccess::WRITE`](crate::RemoteAccess::WRITE).
    #[doc(alias = "IBV_WR_ATOMIC_WRITE")]
    #[doc(alias = "ibv_wr_atomic_write")]
    pub const fn atomic_write(value: [u8; 8], at: RemoteWord) -> ExtendedWr {
        ExtendedWr {
            work: ExtendedWork::atomic_write(at.address(), value),
        }
    }

    /// Makes what was written to the peer's memory before, by this queue pair, visible or lasting. It
    /// completes when that is done. Posting more than 2^32 - 1 bytes is refused. The queue pair must be made with
    /// [`QpCap::flushes`](super::QpCap::flushes), and both it and the memory must allow it on the peer's
    /// side.
    #[doc(alias = "IBV_WR_FLUSH")]
    #[doc(alias = "ibv_wr_flush")]
    #[doc(alias = "IBV_FLUSH_RANGE")]
    pub fn flush(what: RemoteSlice, how: Flush) -> ExtendedWr {
        let len = usize::try_from(what.len()).unwrap_or(usize::MAX);
        ExtendedWr {
            work: ExtendedWork::flush(what.address(), len, how.bits()),
        }
    }

    /// As [`flush`](Self::flush), of all the memory that has this key.
    #[doc(alias = "IBV_FLUSH_MR")]
    pub const fn flush_region(key: RemoteKey, how: Flush) -> ExtendedWr {
        ExtendedWr {
            work: ExtendedWork::flush_region(key.number(), how.bits()),
        }
    }
}

impl ExtendedWr {
    /// Asks for no completion; see [`Wr::unsignalled`].
    #[doc(alias = "IBV_SEND_SIGNALED")]
    pub const fn unsignalled(mut self) -> Self {
        self.work = self.work.unsignalled();
        self
    }

    /// Begins only once the reads, atomics and flushes posted before it are done.
    #[doc(alias = "IBV_SEND_FENCE")]
    pub const fn fenced(mut self) -> Self {
        self.work = self.work.fenced();
        self
    }
}

impl Qp<Rc, Rts> {
    /// Posts a request that not every device has. `token` is the caller's own number; it comes back
    /// with the completion.
    ///
    /// # Errors
    ///
    /// [`Rejected`], without buffers: [`Error::NotMadeFor`](crate::Error::NotMadeFor), and as
    /// [`post`](Self::post); but of a failed post nobody ever says that it was not queued.
    #[doc(alias = "ibv_wr_start")]
    #[doc(alias = "ibv_wr_complete")]
    pub fn post_extended(&mut self, wr: ExtendedWr, token: u64) -> Result<(), Rejected> {
        let posted = self.handle.post_extended(&wr.work, token);
        posted.map_err(|why| {
            let refused = Refused { why, bufs: None };
            Rejected::new(refused, Queue::Send, self.handle.number())
        })
    }
}
