use std::io;

use super::TxBuf;
use crate::sys::memory::{Mapping, Pool, Shape};
use crate::{Error, Result};

/// Memory to send from: one mapping, divided into equal slots.
///
/// Cloning it shares it, also with other threads, which can take and fill buffers while another sends them. The memory is
/// unmapped when the last clone and the last [`TxBuf`] are gone.
///
/// A forked child has a pool of its own: the same slots are taken, and all bytes are zeroes (`MADV_WIPEONFORK`, Linux
/// 4.14), also those of buffers that were filled. Whoever forks while a reference into a buffer is held sees its bytes
/// change in the child.
///
/// `Ring::tx_pool` makes one that is registered with a ring, which is what a ring sends from; it stays pinned until the
/// ring next makes a pool, or is dropped. Every pool serves a
/// [`ZeroCopySender`](crate::zerocopy::ZeroCopySender), but one of [`new`](TxPool::new) serves it better: its slots are
/// usable again when a socket was closed with sends outstanding.
#[derive(Clone, Debug)]
pub struct TxPool {
    pool: Pool,
}

impl TxPool {
    /// Maps memory for `slots` buffers of `slot_len` bytes each, zeroed. Every slot has pages of its own, so it takes at
    /// least a page.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidValue`]: no slots, 2²⁴ or more, empty slots, or more than an address space.
    /// - [`Error::System`]: `ENOMEM` when memory, address space or mappings (`vm.max_map_count`) are short.
    ///
    /// Source: mmap(2).
    pub fn new(slots: u32, slot_len: u32) -> Result<Self> {
        let shape = Shape::of_pages(slots, slot_len).ok_or_else(|| Error::InvalidValue {
            option: "TxPool",
            value: format!("{slots} slots of {slot_len} bytes"),
            reason: "a pool has 1 to 16777215 slots of at least a byte that fit the address space",
        })?;
        let mapping = Mapping::anonymous(shape.bytes()).map_err(|error: io::Error| {
            let object = format!("a pool of {} bytes", shape.bytes());
            Error::system("mmap", object, error)
        })?;
        Ok(Self::of(Pool::new(mapping, shape, None)))
    }

    /// Takes a free slot; `None` if all are in use. Allocates nothing and takes no lock.
    #[inline]
    pub fn take(&self) -> Option<TxBuf> {
        self.pool.take().map(TxBuf::new)
    }

    /// How many slots there are.
    pub fn slots(&self) -> u32 {
        self.pool.slots()
    }

    /// How many slots are not free: those that are held as a [`TxBuf`], in flight, and lost by `mem::forget` or because
    /// the kernel did not give them back in time ([`leaked_bytes`](super::leaked_bytes)). While other threads take and drop buffers it is a snapshot.
    pub fn outstanding(&self) -> u32 {
        self.pool.outstanding()
    }

    /// The length of each slot, in bytes.
    pub fn slot_len(&self) -> usize {
        self.pool.slot_len()
    }

    pub(crate) fn of(pool: Pool) -> Self {
        Self { pool }
    }
}
