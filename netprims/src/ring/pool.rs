use super::TxBuf;
use crate::sys::memory::Pool;

/// Memory to send from: one mapping, registered with the ring as one fixed buffer, divided into equal slots.
///
/// Made by [`Ring::tx_pool`](super::Ring::tx_pool). Cloning it shares it, also with other threads, which can take and
/// fill buffers while the ring's thread sends them. The memory is unmapped when the last clone and the last [`TxBuf`]
/// are gone; it stays pinned until the ring next makes a pool, or is dropped. A forked child does not inherit it (`MADV_DONTFORK`): touching it there faults.
#[derive(Clone, Debug)]
pub struct TxPool {
    pool: Pool,
}

impl TxPool {
    /// Takes a free slot; `None` if all are in use. Allocates nothing and takes no lock.
    pub fn take(&self) -> Option<TxBuf> {
        self.pool.take().map(TxBuf::new)
    }

    /// How many slots there are.
    pub fn slots(&self) -> u32 {
        self.pool.slots()
    }

    /// How many slots are not free: those that are held as a [`TxBuf`], in flight, and lost by `mem::forget` or by a ring
    /// that was dropped before the kernel gave them back. While other threads take and drop buffers it is a snapshot.
    pub fn outstanding(&self) -> u32 {
        self.pool.outstanding()
    }

    /// The length of each slot, in bytes.
    pub fn slot_len(&self) -> usize {
        self.pool.slot_len()
    }

    pub(super) fn new(pool: Pool) -> Self {
        Self { pool }
    }
}
