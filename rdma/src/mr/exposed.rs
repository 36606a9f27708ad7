//! Memory that peers may use.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{HugePage, RemoteKey, RemoteSlice};
use crate::error::{Error, Result};
use crate::pd::Pd;
use crate::qp::RemoteAccess;
use crate::sys::{ExposedPart, ExposedRegion};

/// Registered memory that peers may read, write or change by atomics, as its rights say, at any
/// time.
///
/// So it is never plain bytes to this program: it can be copied from and to, and looked at as atomic
/// words. Whatever a peer has written is visible after the completion that told of it, or the peer's
/// message, was taken; before that, some words may be and others not.
///
/// Clones are the same memory. When the last is gone, the device is told first, and then the pages
/// are unmapped: a peer that still knows the key is refused. Requests of this side that name it
/// keep it until they are over.
#[doc(alias = "ibv_mr")]
#[derive(Clone, Debug)]
pub struct ExposedMr {
    region: Arc<ExposedRegion>,
}

impl Pd {
    /// Allocates and registers `len` bytes, all zero, that peers who know the key may use as `access`
    /// says. A queue pair must allow the same ([`InitAttr::access`](crate::InitAttr::access)).
    ///
    /// The pages are pinned: they count against the memlock limit (`ulimit -l`) unless the process
    /// has CAP_IPC_LOCK.
    ///
    /// # Errors
    ///
    /// - [`Error::OutOfRange`]: no bytes.
    /// - [`Error::Verb`]; ENOMEM: above the memlock limit (the error says how much was asked for and
    ///   what the limit is), or out of memory; EINVAL: it shall be flushed to memory that outlives the
    ///   power, and is not such memory.
    /// - [`Error::Unsupported`]: flushes, which the device has not.
    #[doc(alias = "ibv_reg_mr")]
    pub fn register_exposed(&self, len: usize, access: RemoteAccess) -> Result<ExposedMr> {
        self.registration().exposed(len, access)
    }
}

impl ExposedMr {
    pub(super) fn new(region: Arc<ExposedRegion>) -> Self {
        ExposedMr { region }
    }

    pub(crate) fn region(&self) -> &Arc<ExposedRegion> {
        &self.region
    }

    pub(super) fn into_region(self) -> Arc<ExposedRegion> {
        self.region
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.region.len()
    }

    /// Never: there is at least one byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.region.len() == 0
    }

    /// Which huge pages it has; `None`: the system's own, or the memory is the program's.
    #[must_use]
    pub fn huge_pages(&self) -> Option<HugePage> {
        self.region.backing()?.pages()?.huge()
    }

    /// What a peer must know to use it all.
    #[doc(alias = "rkey")]
    #[must_use]
    pub fn remote(&self) -> RemoteSlice {
        remote(&self.region)
    }

    /// The memory as words; the last one may have bytes beyond [`len`](Self::len).
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        self.region.words()
    }

    /// Copies bytes from `offset` on out.
    ///
    /// A word (eight bytes at a multiple of eight) that changes meanwhile is copied as it was before
    /// or after.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]: there are not so many bytes; nothing was copied.
    pub fn copy_out(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        let len = to.len();
        self.region
            .copy_out(offset, to)
            .then_some(())
            .ok_or_else(|| beyond(offset, len))
    }

    /// Copies bytes in from `offset` on. Bytes beside them in the same word stay.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]: there is not so much room; nothing was copied.
    pub fn copy_in(&self, offset: usize, from: &[u8]) -> Result<()> {
        let len = from.len();
        self.region
            .copy_in(offset, from)
            .then_some(())
            .ok_or_else(|| beyond(offset, len))
    }

    /// A part, as this side of a request: to send or write from, or to read into.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`]: it is not within the memory, or longer than 2^32 - 1 bytes.
    pub fn part(&self, range: Range<usize>) -> Result<Exposed<'_>> {
        let len = range.end.checked_sub(range.start);
        let part = len.and_then(|len| ExposedPart::new(&self.region, range.start, len));
        part.map(|part| Exposed { part })
            .ok_or_else(|| beyond(range.start, len.unwrap_or(0)))
    }
}

pub(super) fn remote(region: &ExposedRegion) -> RemoteSlice {
    let len = u64::try_from(region.len()).unwrap_or(u64::MAX);
    RemoteSlice::new(region.address(), len, RemoteKey::new(region.rkey()))
}

#[cold]
pub(super) fn beyond(offset: usize, len: usize) -> Error {
    let end = offset.saturating_add(len);
    Error::OutOfRange {
        what: "exposed memory up to byte",
        value: u64::try_from(end).unwrap_or(u64::MAX),
        rule: "within the region",
    }
}

/// A part of an [`ExposedMr`], as this side of a request.
#[derive(Clone, Copy, Debug)]
pub struct Exposed<'a> {
    pub(crate) part: ExposedPart<'a>,
}
